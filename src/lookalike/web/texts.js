/** The page for a collection of texts: rows to read, what they share with the query marked, nothing about photos. */

import { getItem } from "./api.js";
import { element, meaningOf } from "./grid.js";

const WORD = /[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu;
const TELLING = 3; // letters that a word has more than, to be marked as shared: not "the"
const NEARLY_SAME = 0.5; // share of its words that the query has, too: then the others are what is worth seeing

/** Make the page one for texts and return its titles; `onHybrid` is told whether exact words are to count. */
export function dress(grid, onHybrid) {
  const $ = (selector) => document.querySelector(selector);
  document.head.append(element("link", "", { rel: "stylesheet", href: "/web/texts.css" }));
  document.documentElement.classList.add("of-texts");
  $(".skip").textContent = "Skip to the texts";
  $("h1").textContent = "Find texts by what they mean";
  $("label[for=text]").textContent = "Words";
  const box = element("input", "", { type: "checkbox", id: "hybrid" });
  const label = element("label", "", { title: "Texts with the very words you type move up" });
  label.append(box, " exact words, too");
  box.onchange = () => onHybrid(box.checked);
  $("#ask").append(label);
  grid.actions = grid.actions.filter(({ name }) => name !== "open"); // all of it can be read as it is
  return ["Your texts", "Texts that mean the same"];
}

/** Have the grid mark its texts for a query. */
export async function readFor({ examples, hybrid }, grid) {
  document.querySelector("#hybrid").checked = hybrid;
  const wanted = examples.filter(({ weight }) => weight > 0);
  const asked = await Promise.all(wanted.map(async ({ words, item }) => words ?? (await getItem(item).catch(() => ({}))).text ?? ""));
  const known = new Set(wordsOf(asked.join(" ")));
  grid.read = (hit) => reading(hit, known);
}

const wordsOf = (text) => (text.match(WORD) ?? []).map((word) => word.toLowerCase());

/** A text with marks, and below it where it stands and what else its row says. */
function reading(hit, known) {
  const { text, places, metadata, matched } = hit;
  const shown = element("div", "grid-text", { dir: "auto" });
  const words = wordsOf(text);
  const shared = words.filter((word) => known.has(word)).length;
  const isNear = shared > NEARLY_SAME * words.length;
  let end = 0;
  for (const { 0: word, index } of known.size ? text.matchAll(WORD) : []) {
    if (known.has(word.toLowerCase()) === isNear || (!isNear && word.length <= TELLING)) continue;
    shown.append(text.slice(end, index), element(isNear ? "ins" : "mark", "", {}, word));
    end = index + word.length;
  }
  shown.append(text.slice(end));
  const notes = Object.entries(metadata ?? {}).map(([name, value]) => `${name}: ${value}`);
  if (places > 1) notes.unshift(`at ${places} places`);
  if (matched) notes.unshift("these words");
  const meaning = meaningOf(hit);
  if (meaning) notes.unshift(meaning);
  if (notes.length) shown.append(element("small", "", {}, notes.join(" · ")));
  return shown;
}
