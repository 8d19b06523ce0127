/** The box that is drawn on the query photo, to search by that part of it. */

import { element } from "./grid.js";

const START = [0.25, 0.25, 0.5, 0.5];
const SMALLEST = 0.05; // of the photo's side
const NUDGES = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] };
const PAUSE = 500; // ms without a further key

export class Box {
  /** @type {number[] | null} left, top, width, height as fractions */ #now = null;
  #typing = 0;

  /** `stage` is as large as the photo in it; `onChange(box)` gets null where the box is cleared. */
  constructor(stage, onChange) {
    Object.assign(this, { stage, onChange });
    this.frame = element("div", "box", { tabindex: 0, role: "group" });
    this.corner = element("i", "");
    this.frame.append(this.corner);
    this.frame.addEventListener("keydown", (event) => this.#key(event));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.append(this.frame);
  }

  /** Show a box that was drawn before, or none. */
  show(box) {
    clearTimeout(this.#typing);
    this.#now = box;
    this.frame.hidden = !box;
    if (!box) return;
    const [left, top, width, height] = box.map((part) => `${(part * 100).toFixed(1)}%`);
    Object.assign(this.frame.style, { left, top, width, height });
    const where = `${width} × ${height} at ${left}, ${top}`;
    this.frame.ariaLabel = `Part of the photo, ${where}. Arrow keys move it, with Shift resize it, Delete clears it.`;
  }

  /** Put the focus on the box, and one in the middle if there is none. */
  start() {
    if (!this.#now) this.#commit(START);
    this.frame.focus();
  }

  #commit(box) {
    this.show(box?.map((part) => Math.round(part * 1000) / 1000) ?? null);
    this.onChange(this.#now);
  }

  /** Draw a new box, move the old, or pull its corner. A finger elsewhere scrolls the page. */
  #down(event) {
    const isInBox = this.frame.contains(event.target);
    if (event.button || (event.pointerType === "touch" && !isInBox)) return;
    event.preventDefault();
    const before = this.#now;
    const [startX, startY] = this.#at(event);
    const [left, top, width, height] = isInBox ? before : [startX, startY];
    const change = (moved) => {
      const [x, y] = this.#at(moved);
      if (event.target === this.frame) this.show(inside([left + x - startX, top + y - startY, width, height]));
      else this.show([Math.min(x, left), Math.min(y, top), Math.abs(x - left), Math.abs(y - top)]);
    };
    const drag = new AbortController();
    const end = ({ type }) => {
      drag.abort();
      const isBox = this.#now !== before && Math.min(this.#now[2], this.#now[3]) >= SMALLEST;
      if (isBox && type === "pointerup") this.#commit(this.#now);
      else this.show(before);
    };
    this.stage.setPointerCapture(event.pointerId);
    this.stage.addEventListener("pointermove", change, drag);
    for (const type of ["pointerup", "pointercancel"]) this.stage.addEventListener(type, end, drag);
  }

  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [within((clientX - left) / width), within((clientY - top) / height)];
  }

  #key(event) {
    const [x, y] = NUDGES[event.key] ?? [];
    const clears = ["Delete", "Backspace", "Escape"].includes(event.key);
    if (!x && !y && !clears) return;
    event.preventDefault();
    if (clears) return this.#commit(null);
    const [left, top, width, height] = this.#now;
    const pulled = [left, top, Math.max(SMALLEST, width + x), Math.max(SMALLEST, height + y)];
    this.show(inside(event.shiftKey ? pulled : [left + x, top + y, width, height]));
    this.#typing = setTimeout(() => this.#commit(this.#now), PAUSE);
  }
}

const within = (part, most = 1) => Math.max(0, Math.min(most, part));

function inside([left, top, ...sides]) {
  const [width, height] = sides.map((side) => within(side));
  return [within(left, 1 - width), within(top, 1 - height), width, height];
}
