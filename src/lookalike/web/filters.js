/** The filters: a form whose fields are named as conditions begin, such as "taken>=". */

import { element } from "./grid.js";

export class Filters {
  #where = [];

  constructor(form, onChange) {
    this.fields = [...form.elements].filter(({ name }) => name);
    form.addEventListener("change", ({ target: { name, value } }) => {
      const others = this.#where.filter((one) => !one.startsWith(name));
      onChange(value ? [...others, name + value] : others);
    });
  }

  /** Offer what is in the collection. */
  offer({ cameras, folders }) {
    const [, , folder, camera] = this.fields;
    offer(folder, folders);
    offer(camera, cameras);
    this.show(this.#where);
  }

  /** Show the conditions of a query, as far as there are fields for them. */
  show(where) {
    this.#where = where;
    for (const field of this.fields) {
      const value = where.find((one) => one.startsWith(field.name))?.slice(field.name.length) ?? "";
      field.value = value;
      if (field.value !== value) field.add?.(new Option(shortened(value), value, true, true)); // not in the collection
    }
  }
}

function offer(select, facet) {
  const options = facet.map(({ value, count }) => element("option", "", { value }, `${shortened(value)} (${count})`));
  select.replaceChildren(new Option("any", ""), ...options);
}

/** The end of a path, which tells folders apart. */
const shortened = (value) => value.split(/[/\\]/).slice(-2).join("/");
