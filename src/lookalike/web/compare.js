/**
 * Two pictures at the same zoom, side by side or one over the other. A copy lies where it belongs in the best one:
 * its mapping is `a b c d e f` of CSS' matrix, in lengths of the longest side of each picture.
 */

import { thumbnailOf } from "./api.js";
import { element, nameOf } from "./grid.js";

const SIZE = 1600; // px
const DEEPEST = 16;
const STEP = 1.5;
const WHOLE = { zoom: 1, x: 0, y: 0 };
const GONE = "Its file cannot be shown any more.";

export class Compare {
  #view = WHOLE;
  #pointers = new Map();
  #shown = null;

  /** @param {HTMLElement} container with the stages of the best one and of its copy */
  constructor(container) {
    this.container = container;
    this.stages = [...container.querySelectorAll(".stage")];
    new ResizeObserver(() => this.#lay()).observe(container);
    for (const stage of this.stages) {
      stage.addEventListener("wheel", (event) => this.#wheel(event, stage), { passive: false });
      stage.addEventListener("pointerdown", (event) => this.#press(event, stage));
      stage.addEventListener("pointermove", (event) => this.#move(event, stage));
      for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, ({ pointerId }) => this.#pointers.delete(pointerId));
    }
  }

  /** Show two members of a group; the view stays while one of the two does. */
  show(best, copy) {
    if (this.#shown?.best.item.id !== best.item.id) this.#view = WHOLE;
    const pictures = [picture(best, "base"), picture(best, "ghost"), picture(copy, "top")];
    this.#shown = { best, copy, pictures };
    this.stages[0].replaceChildren(sheet(pictures[0]));
    this.stages[1].replaceChildren(sheet(...pictures.slice(1)));
    for (const img of pictures) img.onload = () => this.#lay();
    this.#lay();
  }

  /** "both" side by side, "blink" or "difference" at one place. */
  set mode(mode) {
    this.container.dataset.mode = mode;
    this.#lay();
  }

  get mode() {
    return this.container.dataset.mode;
  }

  /** Whether a copy lies at its place, or is shown as it is. */
  set isAligned(isAligned) {
    this.container.classList.toggle("is-aligned", isAligned);
    this.#lay();
  }

  get isAligned() {
    return this.container.classList.contains("is-aligned");
  }

  larger = () => this.#zoom(STEP);
  smaller = () => this.#zoom(1 / STEP);

  whole = () => {
    this.#view = WHOLE;
    this.#look();
  };

  /** Put both pictures where they belong at zoom 1, as large as the stage is. */
  #lay() {
    const stage = this.stages[1];
    if (!this.#shown || !stage.clientWidth) return;
    const { best, copy, pictures } = this.#shown;
    const [large, small] = [sidesOf(best, pictures[0]), sidesOf(copy, pictures[2])];
    const mapping = this.isAligned && copy.mapping ? copy.mapping : within(small, large);
    const corners = [[0, 0], large, ...cornersOf(small).map((corner) => mapped(mapping, corner))];
    const [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
    const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
    const margin = [(stage.clientWidth - width * scale) / 2 - left * scale, (stage.clientHeight - height * scale) / 2 - top * scale];
    for (const img of pictures) {
      const [sides, [a, b, c, d, e, f]] = img === pictures[2] ? [small, mapping] : [large, [1, 0, 0, 1, 0, 0]];
      [img.style.width, img.style.height] = sides.map((side) => `${side * scale}px`);
      img.style.transform = `matrix(${[a, b, c, d, e * scale + margin[0], f * scale + margin[1]].join()})`;
    }
    this.#look();
  }

  #wheel(event, stage) {
    event.preventDefault();
    this.#zoom(Math.exp(-event.deltaY / 400), placeIn(stage, event));
  }

  #press(event, stage) {
    this.#pointers.set(event.pointerId, placeIn(stage, event));
    stage.setPointerCapture(event.pointerId);
  }

  /** One pointer moves the pictures, two also zoom. */
  #move(event, stage) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = placeIn(stage, event);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    const share = other ? 0.5 : 1;
    this.#view = { ...this.#view, x: this.#view.x + (now[0] - before[0]) * share, y: this.#view.y + (now[1] - before[1]) * share };
    if (other) this.#zoom(distance(now, other) / Math.max(1, distance(before, other)), [0, 1].map((axis) => (now[axis] + other[axis]) / 2));
    else this.#look();
  }

  /** Zoom by a factor; what lies at a place of the stage stays there. */
  #zoom(factor, [x, y] = [this.stages[1].clientWidth / 2, this.stages[1].clientHeight / 2]) {
    const zoom = Math.min(DEEPEST, Math.max(1, this.#view.zoom * factor));
    const grown = zoom / this.#view.zoom;
    this.#view = { zoom, x: x - (x - this.#view.x) * grown, y: y - (y - this.#view.y) * grown };
    this.#look();
  }

  /** Show the part that is looked at, in both stages; there is nothing beyond their edges. */
  #look() {
    const { clientWidth, clientHeight } = this.stages[1];
    const { zoom, x, y } = this.#view;
    this.#view = { zoom, x: Math.min(0, Math.max(clientWidth * (1 - zoom), x)), y: Math.min(0, Math.max(clientHeight * (1 - zoom), y)) };
    for (const stage of this.stages) {
      const { firstElementChild } = stage;
      if (firstElementChild) firstElementChild.style.transform = `translate(${this.#view.x}px, ${this.#view.y}px) scale(${zoom})`;
    }
    this.container.classList.toggle("is-zoomed", zoom > 1);
  }
}

/** Have a member's picture at hand for when it is shown. */
export const preload = ({ item }) => (new Image().src = thumbnailOf(item, SIZE));

function picture({ item }, kind) {
  const img = element("img", kind, { alt: kind === "ghost" ? "" : nameOf(item), src: thumbnailOf(item, SIZE), draggable: false });
  img.onerror = () => img.replaceWith(element("p", "is-gone", {}, kind === "ghost" ? "" : GONE));
  return img;
}

function sheet(...pictures) {
  const made = element("div", "sheet");
  made.append(...pictures);
  return made;
}

/** Width and height, the longest side 1: as the file says, else as the picture is, else a square. */
function sidesOf({ item: { metadata } }, { naturalWidth, naturalHeight }) {
  const [width, height] = naturalWidth ? [naturalWidth, naturalHeight] : [metadata.width || 1, metadata.height || 1];
  return [width, height].map((side) => side / Math.max(width, height));
}

/** The mapping that shows one picture as large as it may be within another. */
function within([width, height], [widest, highest]) {
  const scale = Math.min(widest / width, highest / height);
  return [scale, 0, 0, scale, (widest - width * scale) / 2, (highest - height * scale) / 2];
}

const cornersOf = ([width, height]) => [[0, 0], [width, 0], [0, height], [width, height]];

const mapped = ([a, b, c, d, e, f], [x, y]) => [a * x + c * y + e, b * x + d * y + f];

const distance = ([x, y], [otherX, otherY]) => Math.hypot(x - otherX, y - otherY);

function placeIn(stage, { clientX, clientY }) {
  const { left, top } = stage.getBoundingClientRect();
  return [clientX - left, clientY - top];
}
