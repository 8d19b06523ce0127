/** Facts of two members of a group of copies, beside each other. */

import { photoOf } from "./api.js";
import { element, nameOf } from "./grid.js";

const SHOWN_BY_BROWSERS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"];
const FOLDER = /[/\\][^/\\]*$/;

export const count = (number) => number.toLocaleString("en");

/** "1 group", "2 groups" */
export const counted = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** Show what is known of the best one and a copy as the rows of a table; what differs stands out. */
export function showFacts(rows, best, copy, why) {
  const [left, right] = [factsOf(best), factsOf(copy)];
  left.How = why.length ? `the best one: ${why.join(", ")}` : "the best one";
  right.How = `a copy: ${copy.how.join(", ")}`;
  rows.replaceChildren(...Object.keys(left).filter((name) => left[name] || right[name]).map((name) => row(name, left[name], right[name])));
  for (const [at, { item }] of [best, copy].entries()) {
    if (!SHOWN_BY_BROWSERS.includes(item.metadata.format)) continue;
    const link = element("a", "", { href: photoOf(item), target: "_blank" }, nameOf(item));
    rows.firstElementChild.children[at + 1].replaceChildren(link);
  }
}

function row(name, left, right) {
  const made = element("tr", left === right || name === "How" ? "" : "differs");
  made.append(element("th", "", { scope: "row" }, name), ...[left, right].map((fact) => element("td", "", { dir: "auto" }, fact || "–")));
  return made;
}

function factsOf({ item, bytes }) {
  const { width, height, format, taken, camera } = item.metadata;
  return {
    Name: nameOf(item),
    Folder: item.uri.replace(FOLDER, ""),
    Pixels: width && `${count(width)} × ${count(height)}`,
    Bytes: count(bytes),
    Format: format,
    Taken: taken?.replace("T", " "),
    Camera: camera,
  };
}
