/** The examples of a query as chips: a picture or words, and how much it counts. */

import { getItem, thumbnailOf } from "./api.js";
import { button, element, nameOf } from "./grid.js";
import { stepped } from "./query.js";
import { pictureOf } from "./uploads.js";

/** `on` has what is called with an example to show, change or remove it. */
export function showChips(list, examples, on) {
  const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren(...examples.map((example) => chip(example, examples.length > 1, on)));
  list.querySelectorAll("button")[focused]?.focus();
}

/** The name of an example and the address of its picture, if it has one. */
export async function lookOf({ item, upload, words }, size) {
  if (words) return { name: `“${words}”` };
  if (upload) return { name: "Your photo", picture: await pictureOf(upload) };
  const found = await getItem(item);
  return { name: nameOf(found), picture: found.text ? null : thumbnailOf(found, size) };
}

function chip(example, isOneOfSeveral, { show, change, remove }) {
  const { weight } = example;
  const made = element("li", weight < 0 ? "chip is-less" : "chip");
  const look = control("", "Show this example", () => show(example), "look");
  const name = element("span", "name");
  made.append(look, name);
  if (isOneOfSeveral) {
    const step = (direction) => () => change({ ...example, weight: stepped(weight, direction) });
    const says = `${weight < 0 ? "less" : "more"} ${Math.abs(weight).toFixed(2)}`;
    made.append(element("span", "weight", {}, says), control("−", "Lower the weight", step(-1)), control("+", "Raise the weight", step(1)));
  }
  made.append(control("×", "Remove this example", () => remove(example)));
  const fill = (shown) => {
    name.textContent = shown.name;
    if (shown.picture) look.append(element("img", "", { src: shown.picture, alt: "" }));
    else look.remove();
  };
  lookOf(example, 320).then(fill, () => fill({ name: "not found" }));
  return made;
}

function control(text, label, run, className = "square") {
  const made = button(className, { "aria-label": label }, text);
  made.onclick = run;
  return made;
}
