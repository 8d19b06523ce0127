/** The filters by date, folder and camera: a form ↔ the conditions of a query. */

import { element } from "./grid.js";

const CONDITIONS = { from: "taken>=", to: "taken<=", folder: "folder=", camera: "camera=" };

export class Filters {
  #others = [];

  /**
   * @param {HTMLFormElement} form with fields of the names above
   * @param {(where: string[]) => void} onChange
   */
  constructor(form, onChange) {
    this.fields = form.elements;
    form.addEventListener("change", () => onChange(this.#where()));
  }

  /** Offer what is in the collection. @param {object} facets as the server gives them */
  offer({ cameras, folders, taken }) {
    const parent = commonStart(folders.map(({ value }) => value));
    fill(this.fields.folder, folders, parent.length);
    fill(this.fields.camera, cameras);
    const [first, last] = taken ?? ["", ""];
    for (const field of [this.fields.from, this.fields.to]) [field.min, field.max] = [first.slice(0, 10), last.slice(0, 10)];
  }

  /** Show conditions; those that have no field stay as they are. */
  show(where) {
    this.#others = where;
    for (const [name, start] of Object.entries(CONDITIONS)) {
      const field = this.fields[name];
      const condition = where.findLast((one) => one.startsWith(start));
      const value = condition?.slice(start.length) ?? "";
      this.#others = this.#others.filter((one) => one !== condition);
      field.value = value;
      if (field.value === value || !field.options) continue;
      field.add(element("option", "", { value }, value)); // not, or not yet, in the collection
      field.value = value;
    }
  }

  #where() {
    const said = Object.entries(CONDITIONS).map(([name, start]) => [start, this.fields[name].value]);
    return [...said.filter(([, value]) => value).map((parts) => parts.join("")), ...this.#others];
  }
}

/** Offer the values of a facet, without the first letters that all have. */
function fill(select, facet, common = 0) {
  const { value: chosen } = select;
  const options = facet.map(({ value, count }) => element("option", "", { value }, `${value.slice(common) || value} (${count})`));
  select.replaceChildren(new Option("any", ""), ...options);
  select.value = chosen;
}

/** The folder that all lie in, with its separator. */
function commonStart([first = "", ...others]) {
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length).replace(/[^/\\]*$/, "");
}
