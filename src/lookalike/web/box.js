/** The box that is drawn on the query photo, to search by that part of it. */

import { element } from "./grid.js";

const START = [0.25, 0.25, 0.5, 0.5];
const SMALLEST = 0.05; // of the photo's side
const NUDGES = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] };
const PAUSE = 500; // ms without a further key

export class Box {
  /** @type {number[] | null} left, top, width, height as fractions */ #now = null;
  #typing = 0;

  /**
   * @param {HTMLElement} stage holds the photo, and is as large
   * @param {(box: number[] | null) => void} onChange the box was drawn, changed or cleared
   */
  constructor(stage, onChange) {
    Object.assign(this, { stage, onChange });
    this.frame = element("div", "box", { tabindex: 0, role: "group" });
    this.frame.append(...["0 0", "1 0", "0 1", "1 1"].map((corner) => element("i", "", { "data-corner": corner })));
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
    this.frame.ariaLabel = `Part of the photo, ${width} wide and ${height} high, ${left} from the left and ${top} from the top.
      Arrow keys move it, with Shift they resize it, Delete clears it.`;
  }

  /** Have a box to move, in the middle if there is none, and put the focus on it. */
  start() {
    if (!this.#now) this.#commit(START);
    this.frame.focus();
  }

  #commit(box) {
    this.show(box?.map((part) => Math.round(part * 1000) / 1000) ?? null);
    this.onChange(this.#now);
  }

  /** Draw a new box, move the old, or pull one of its corners. A finger elsewhere scrolls the page. */
  #down(event) {
    const isInBox = this.frame.contains(event.target);
    if (event.button || (event.pointerType === "touch" && !isInBox)) return;
    event.preventDefault();
    const before = this.#now;
    const corner = event.target.dataset.corner?.split(" ");
    const from = this.#at(event);
    const change = isInBox && !corner ? moving(before, from) : pulling(corner ? opposite(before, corner) : from);
    const drag = new AbortController();
    const end = ({ type }) => {
      drag.abort();
      if (type !== "pointerup" || this.#now === before) this.show(before);
      else if (Math.min(this.#now[2], this.#now[3]) < SMALLEST) this.show(before);
      else this.#commit(this.#now);
    };
    this.stage.setPointerCapture(event.pointerId);
    this.stage.addEventListener("pointermove", (moved) => this.show(change(this.#at(moved))), drag);
    for (const type of ["pointerup", "pointercancel"]) this.stage.addEventListener(type, end, drag);
  }

  /** Where on the photo a pointer is. */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [within((clientX - left) / width), within((clientY - top) / height)];
  }

  #key(event) {
    const nudge = NUDGES[event.key];
    const clears = ["Delete", "Backspace", "Escape"].includes(event.key);
    if (!nudge && !clears) return;
    event.preventDefault();
    if (clears) return this.#commit(null);
    const [left, top, width, height] = this.#now;
    const pulled = [left, top, Math.max(SMALLEST, width + nudge[0]), Math.max(SMALLEST, height + nudge[1])];
    this.show(inside(event.shiftKey ? pulled : [left + nudge[0], top + nudge[1], width, height]));
    this.#typing = setTimeout(() => this.#commit(this.#now), PAUSE);
  }
}

const within = (part, most = 1) => Math.min(most, Math.max(0, part));

const inside = ([left, top, width, height]) => [within(left, 1 - width), within(top, 1 - height), within(width), within(height)];

const moving = ([left, top, width, height], from) => (to) => inside([left + to[0] - from[0], top + to[1] - from[1], width, height]);

const pulling = ([x, y]) => (to) => [Math.min(x, to[0]), Math.min(y, to[1]), Math.abs(x - to[0]), Math.abs(y - to[1])];

const opposite = ([left, top, width, height], [x, y]) => [left + width * (1 - x), top + height * (1 - y)];
