/**
 * A justified grid of photos, near copies folded into one. Flexbox does the layout: cells grow in proportion to
 * their shape, which makes those of a row equally high. The page and the notebook share the grid, so it imports
 * nothing, and what differs comes in as options.
 *
 * @typedef {object} Hit
 * @property {number} id
 * @property {string} uri
 * @property {{width?: number, height?: number}} metadata
 * @property {number} [score] absent where photos are only browsed
 * @property {number} [copy_of] id of an earlier hit that this one is a near copy of
 *
 * @typedef {object} Action a button of every hit
 * @property {string} name
 * @property {string} icon path data in a 24 × 24 square, drawn as strokes
 * @property {string} [key] does the same while the hit has the focus
 * @property {(hit: Hit) => string} label
 * @property {(hit: Hit) => boolean} [pressed]
 * @property {(hit: Hit) => void | Promise<void>} run
 *
 * @typedef {object} Options
 * @property {(hit: Hit, size: number) => string | Promise<string>} thumbnail address of the picture, its
 *   longest side ≤ size; asked once the hit comes near the screen
 * @property {(hit: Hit) => void} onPick the picture was clicked, or Enter pressed on it
 * @property {(hit: Hit) => void} [onOpen] show it large
 * @property {Action[]} [actions]
 * @property {() => void} [onNeedMore] the end comes near the screen
 *
 * @typedef {{hit: Hit, cell: HTMLElement, copies: HTMLElement[]}} Place of a hit, with the cells of its near copies
 */

const NARROWEST = 0.6; // width / height of a cell; what goes beyond is shown whole, with margins
const WIDEST = 2;
const UNKNOWN = 4 / 3; // also once the picture is there: nothing may move
const NEAR = { rootMargin: "900px 0px" };
const SHARP = 400; // px that a picture of 320 may be stretched to
const LINE = "Below this line photos are no more alike than any two of your photos.";
const OPEN = "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5";

export class Grid {
  /** @type {Map<number, Place>} id of a hit or of a near copy → where it is shown */ #places = new Map();
  /** @type {WeakMap<HTMLElement, Hit>} */ #hits = new WeakMap();
  #background = -Infinity;
  #more = false;
  #stop = new AbortController();

  /**
   * @param {HTMLElement} container an empty element
   * @param {Options} options
   */
  constructor(container, options) {
    this.container = container;
    this.options = options;
    this.actions = [...(options.actions ?? [])];
    if (options.onOpen) {
      const label = (hit) => `Open ${nameOf(hit)} large`;
      this.actions.unshift({ name: "open", icon: OPEN, key: "o", label, run: options.onOpen });
    }
    this.list = element("div", "grid-list", { role: "list" });
    this.end = element("div", "grid-end");
    this.nearing = new IntersectionObserver((seen) => seen.forEach((entry) => this.#fill(entry)), NEAR);
    this.ending = new IntersectionObserver((seen) => this.#needMore(seen.at(-1)), NEAR);
    this.resizing = new ResizeObserver(() => this.#holdBack());
    this.resizing.observe(container);
    const listen = { signal: this.#stop.signal };
    this.list.addEventListener("click", (event) => this.#click(event), listen);
    this.list.addEventListener("keydown", (event) => this.#key(event), listen);
    this.list.addEventListener("keyup", keepSpace, listen);
    this.list.addEventListener("focusin", ({ target }) => this.#rove(target.closest(".grid-cell")), listen);
    container.classList.add("grid");
  }

  /**
   * Show these hits instead of what is there. A line tells those with a score below `background` apart.
   * With `more`, an incomplete last row stays hidden until `append` completes it.
   * @param {Hit[]} hits
   * @param {{background?: number | null, more?: boolean}} [how]
   */
  set(hits, { background, more } = {}) {
    this.clear();
    this.#background = background ?? -Infinity;
    this.append(hits, { more });
  }

  /** Show more hits below; nothing already shown moves. */
  append(hits, { more = false } = {}) {
    this.#more = more;
    for (const hit of hits) this.#admit(hit);
    if (!this.#places.size) return;
    this.container.append(this.list, this.end);
    this.#holdBack();
    if (!this.current?.isConnected) this.#rove(this.list.querySelector(".grid-cell"));
    this.ending.unobserve(this.end); // observed anew, it tells again whether it is near
    this.ending.observe(this.end);
  }

  clear() {
    this.nearing.disconnect();
    this.ending.disconnect();
    this.#places.clear();
    this.list.replaceChildren();
    this.container.replaceChildren();
    this.line = null;
  }

  /** Show anew which actions are pressed. */
  refresh() {
    for (const cell of this.list.children) this.#press(cell);
  }

  /** Put the focus on the first hit. */
  focus() {
    this.list.querySelector(".grid-pick")?.focus();
  }

  destroy() {
    this.#stop.abort();
    this.resizing.disconnect();
    this.clear();
    this.container.classList.remove("grid");
  }

  #admit(hit) {
    if (this.#places.has(hit.id)) return; // pages overlap when photos are added meanwhile
    const leader = this.#places.get(hit.copy_of);
    const cell = this.#cell(hit);
    this.#places.set(hit.id, leader ?? { hit, cell, copies: [] });
    if (leader) return this.#addCopy(leader, cell);
    if (!this.line && hit.score < this.#background) {
      this.line = element("div", "grid-line", { role: "listitem" }, LINE);
      this.list.append(element("div", "grid-filler"), this.line);
    }
    this.list.append(cell);
  }

  /** Hide the last row as long as more may come to complete it. */
  #holdBack() {
    const cells = [...this.list.children];
    const last = cells.at(-1)?.offsetTop;
    for (const cell of cells) cell.classList.toggle("is-waiting", this.#more && cell.offsetTop === last);
  }

  // ---- one hit

  #cell(hit) {
    const { width, height } = hit.metadata;
    const aspect = width && height ? Math.min(WIDEST, Math.max(NARROWEST, width / height)) : UNKNOWN;
    const cell = element("div", "grid-cell", { role: "listitem", "data-id": hit.id });
    cell.style.setProperty("--aspect", aspect);
    const scored = hit.score === undefined ? "" : `, score ${hit.score.toFixed(2)}`;
    const label = `Search by ${nameOf(hit)}${scored}`;
    cell.append(element("button", "grid-pick", { type: "button", tabindex: -1, "aria-label": label, title: nameOf(hit) }));
    if (scored) cell.append(scoreBar(hit.score));
    this.#hits.set(cell, hit);
    this.nearing.observe(cell);
    return cell;
  }

  /** Give a cell that came near the screen its picture and buttons. */
  async #fill({ isIntersecting, target: cell }) {
    if (!isIntersecting) return;
    this.nearing.unobserve(cell);
    const pick = cell.firstChild;
    const tools = element("div", "grid-tools");
    for (const { name, icon } of this.actions) {
      const tool = element("button", "grid-tool", { type: "button", "data-name": name, tabindex: pick.tabIndex });
      tool.append(drawing(icon));
      tools.append(tool);
    }
    pick.after(tools);
    this.#press(cell);
    const img = element("img", "", { alt: "", draggable: false });
    img.onload = () => pick.classList.add("is-loaded");
    img.onerror = () => pick.classList.add("is-broken");
    pick.append(img);
    const pixels = Math.max(pick.clientWidth, pick.clientHeight) * window.devicePixelRatio;
    try {
      img.src = await this.options.thumbnail(this.#hits.get(cell), pixels > SHARP ? 640 : 320);
    } catch {
      img.onerror();
    }
  }

  #press(cell) {
    for (const tool of cell.querySelectorAll(".grid-tool")) {
      const action = this.actions.find(({ name }) => name === tool.dataset.name);
      const hit = this.#hits.get(cell);
      tool.title = tool.ariaLabel = action.label(hit);
      if (action.pressed) tool.ariaPressed = action.pressed(hit);
    }
  }

  // ---- near copies

  /** @param {Place} leader */
  #addCopy(leader, cell) {
    const { copies } = leader;
    const [pick] = leader.cell.children;
    let fold = leader.cell.querySelector(".grid-fold");
    if (!fold) {
      fold = element("button", "grid-fold", { type: "button", tabindex: pick.tabIndex, "aria-expanded": false });
      pick.after(fold);
    }
    if (fold.ariaExpanded === "true") (copies.at(-1) ?? leader.cell).after(cell);
    copies.push(cell);
    cell.classList.add("is-copy");
    const words = copies.length === 1 ? " near copy" : " near copies";
    fold.replaceChildren(`+${copies.length}`, element("span", "", {}, words));
  }

  #toggleCopies(fold, { cell, copies }) {
    fold.ariaExpanded = fold.ariaExpanded !== "true";
    if (fold.ariaExpanded === "true") cell.after(...copies);
    else for (const copy of copies) copy.remove();
    this.#holdBack();
    this.refresh();
  }

  // ---- what people do

  #needMore({ isIntersecting }) {
    if (isIntersecting) this.options.onNeedMore?.();
  }

  #click({ target, detail }) {
    const pressed = target.closest("button");
    if (!pressed || detail > 1) return; // the second click of two might hit what came in between
    const hit = this.#hits.get(pressed.closest(".grid-cell"));
    if (pressed.matches(".grid-pick")) this.options.onPick(hit);
    else if (pressed.matches(".grid-fold")) this.#toggleCopies(pressed, this.#places.get(hit.id));
    else this.#run(this.actions.find(({ name }) => name === pressed.dataset.name), hit);
  }

  async #run(action, hit) {
    await action.run(hit);
    this.refresh();
  }

  #key(event) {
    const { target, key } = event;
    if (!target.matches(".grid-pick") || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = this.actions.find((one) => one.key === (key === " " ? "o" : key));
    const goal = this.#neighbour(target.parentElement, key);
    if (!goal && !action) return;
    event.preventDefault();
    if (goal) goal.firstChild.focus();
    else if (!event.repeat) this.#run(action, this.#hits.get(target.parentElement));
  }

  /** The cell that an arrow key leads to, if any. */
  #neighbour(from, key) {
    const cells = [...this.list.querySelectorAll(".grid-cell:not(.is-waiting)")];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) return cells[cells.indexOf(from) + step];
    const down = { ArrowUp: -1, ArrowDown: 1 }[key];
    const below = (cell) => (cell.offsetTop - from.offsetTop) * down;
    const aside = (cell) => Math.abs(cell.offsetLeft + cell.offsetWidth / 2 - from.offsetLeft - from.offsetWidth / 2);
    return cells.filter((cell) => below(cell) > 0).sort((a, b) => below(a) - below(b) || aside(a) - aside(b))[0];
  }

  /** Tab reaches one hit and its buttons; arrow keys lead to the others. */
  #rove(cell) {
    if (!cell || cell === this.current) return;
    for (const button of this.current?.querySelectorAll("button") ?? []) button.tabIndex = -1;
    for (const button of cell.querySelectorAll("button")) button.tabIndex = 0;
    this.current = cell;
  }
}

/** The name of a photo's file, as people know it. */
export function nameOf({ uri }) {
  const name = uri.split(/[/\\]/).at(-1);
  try {
    return uri.startsWith("file://") ? decodeURIComponent(name) : name;
  } catch {
    return name; // not UTF-8
  }
}

/** Make an element; all text in it is only ever text. */
export function element(tag, className, attributes = {}, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function scoreBar(score) {
  const whole = element("div", "grid-score", { title: `score ${score.toFixed(4)}` });
  const bar = element("span", "grid-bar");
  bar.style.setProperty("--score", Math.max(0, score));
  whole.append(bar, score.toFixed(2));
  return whole;
}

function drawing(icon) {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  path.setAttribute("d", icon);
  svg.append(path);
  return svg;
}

/** Space opens a photo large; Firefox would also click when it is released. */
function keepSpace(event) {
  if (event.key === " " && event.target.matches(".grid-pick")) event.preventDefault();
}
