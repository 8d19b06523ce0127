/** Asks which member of a group stays while the files of the others go to the trash. */

import { counted } from "./facts.js";
import { element, nameOf } from "./grid.js";

export class Removal {
  #members = [];

  /** `onConfirm(stays, going)` is told what was agreed to. */
  constructor(dialog, onConfirm) {
    this.dialog = dialog;
    this.stays = dialog.querySelector("select");
    this.go = dialog.querySelector(".go");
    this.stays.onchange = () => this.#tell();
    this.go.onclick = () => {
      dialog.close();
      onConfirm(this.#members[this.stays.value], this.#going());
    };
    dialog.querySelector(".cancel").onclick = () => dialog.close();
    dialog.addEventListener("keydown", ({ key }) => {
      const place = "123456789".indexOf(key);
      if (!(place in this.#members)) return;
      this.stays.value = place;
      this.#tell();
    });
  }

  ask(members) {
    this.#members = members;
    this.stays.replaceChildren(...members.map(({ item }, place) => element("option", "", { value: place }, `${place + 1} · ${nameOf(item)}`)));
    this.#tell();
    this.dialog.showModal();
    this.go.focus();
  }

  #going() {
    return this.#members.filter((_, place) => place !== Number(this.stays.value));
  }

  #tell() {
    const going = this.#going();
    this.dialog.querySelector("ul").replaceChildren(...going.map(({ item }) => element("li", "", { dir: "auto" }, item.uri)));
    this.go.textContent = `Move ${counted(going.length, "file")} to the trash`;
  }
}
