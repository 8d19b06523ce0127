/**
 * A justified grid of photos or texts, copies folded. Cells grow in proportion to their shape, so that a row
 * is equally high. Page and notebook share it: it imports nothing.
 *
 * A hit is {id, uri, metadata: {width?, height?}, score?, copy_of?, copy_how?, text?}, as the server gives it.
 * An action is a button of every hit: {name, icon, key?, label(hit), pressed?(hit), run(hit)}; its icon is an SVG
 * path in 24 × 24, its key does the same while the hit has the focus.
 */

const NARROWEST = 0.6; // width / height of a cell; what is beyond has margins
const WIDEST = 2;
const UNKNOWN = 4 / 3; // also with the picture there: nothing may move
const NEAR = { rootMargin: "900px 0px" };
const SHARP = 400; // px that 320 may be stretched to
const LINE = "Nothing more of this kind beyond here.";
const OPEN = "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5";

export class Grid {
  #places = new Map(); // id of a hit, or of a copy of it → its cell, and those of its copies
  #hits = new WeakMap(); // cell → hit
  #background = -Infinity;
  #more = false;
  read = ({ text }) => element("div", "grid-text", { dir: "auto" }, text);

  /**
   * `thumbnail(hit, size)` gives the address of a picture, its longest side ≤ size, or a promise of it, once the
   * hit comes near the screen. `onPick(hit)` is told of a click or Enter, `onOpen(hit)`, if given, shows it large,
   * and `onNeedMore()` is called when the end comes near.
   * @param {HTMLElement} container
   */
  constructor(container, { thumbnail, onPick, onOpen, actions = [], onNeedMore }) {
    const label = (hit) => `Open ${nameOf(hit)} large`;
    const open = { name: "open", icon: OPEN, key: "o", label, run: onOpen };
    Object.assign(this, { container, thumbnail, onPick, actions: onOpen ? [open, ...actions] : actions });
    this.list = element("div", "grid-list", { role: "list" });
    this.end = element("div", "grid-end");
    this.nearing = new IntersectionObserver((seen) => seen.forEach((entry) => this.#fill(entry)), NEAR);
    this.ending = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && onNeedMore?.(), NEAR);
    this.resizing = new ResizeObserver(() => this.#holdBack());
    this.resizing.observe(container);
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("keyup", (event) => opensBySpace(event) && event.preventDefault());
    container.classList.add("grid");
    container.append(this.list, this.end);
  }

  /**
   * Show these hits instead, and a line before those with a score below `background`. With `more`, an
   * incomplete last row stays hidden until `append` completes it.
   */
  set(hits, { background, more } = {}) {
    this.clear();
    this.#background = background ?? -Infinity;
    this.append(hits, { more });
  }

  /** Show more below; nothing shown moves. */
  append(hits, { more = false } = {}) {
    this.#more = more;
    for (const hit of hits) this.#admit(hit);
    this.#holdBack();
    if (!this.#places.size) return;
    this.ending.unobserve(this.end); // observed anew, it tells again whether it is near
    this.ending.observe(this.end);
  }

  clear() {
    this.nearing.disconnect();
    this.ending.disconnect();
    this.#places.clear();
    this.list.replaceChildren();
    this.line = null;
  }

  /** Show anew which actions are pressed. */
  refresh() {
    for (const cell of this.list.children) this.#press(cell);
  }

  destroy() {
    this.resizing.disconnect();
    this.clear();
    this.container.classList.remove("grid");
    this.container.replaceChildren();
  }

  #admit(hit) {
    if (this.#places.has(hit.id)) return; // pages overlap when photos are added
    const leader = this.#places.get(hit.copy_of);
    const cell = this.#cell(hit);
    this.#places.set(hit.id, leader ?? { cell, copies: [] });
    if (leader) return this.#addCopy(leader, cell);
    if (!this.line && hit.score < this.#background) {
      this.line = element("div", "grid-line", { role: "listitem" }, LINE);
      this.list.append(element("div", "grid-filler"), this.line);
    }
    this.list.append(cell);
  }

  /** Hide the last row while more may complete it. */
  #holdBack() {
    const cells = [...this.list.children];
    const last = cells.at(-1)?.offsetTop;
    for (const cell of cells) cell.classList.toggle("is-waiting", this.#more && cell.offsetTop === last);
  }

  #cell(hit) {
    const { width, height } = hit.metadata;
    const aspect = width && height ? Math.min(WIDEST, Math.max(NARROWEST, width / height)) : UNKNOWN;
    const cell = element("div", "grid-cell", { role: "listitem", "data-id": hit.id });
    cell.style.setProperty("--aspect", aspect);
    cell.style.setProperty("--score", Math.max(0, hit.score ?? 0));
    const score = hit.score?.toFixed(2);
    const title = nameOf(hit) + (hit.copy_how?.length ? ` (${hit.copy_how.join(", ")})` : "");
    const label = `Search by ${title}${score ? `, score ${score}` : ""}`;
    const pick = button("grid-pick", { "aria-label": label, title });
    pick.onclick = ({ detail }) => detail < 2 && this.onPick(hit); // a second click might hit what came in between
    cell.append(pick);
    if (score) cell.append(element("div", "grid-score", { title: meaningOf(hit) }, score));
    this.#hits.set(cell, hit);
    this.nearing.observe(cell);
    return cell;
  }

  /** Give a cell that came near the screen its picture and buttons. */
  #fill({ isIntersecting, target: cell }) {
    if (!isIntersecting) return;
    this.nearing.unobserve(cell);
    const hit = this.#hits.get(cell);
    const pick = cell.firstChild;
    const tools = element("div", "grid-tools");
    for (const action of this.actions) {
      const tool = button("grid-tool", { "data-name": action.name, tabindex: action.key ? -1 : 0 });
      tool.append(drawing(action.icon));
      tool.onclick = () => this.#run(action, hit);
      tools.append(tool);
    }
    pick.after(tools);
    this.#press(cell);
    if (hit.text) return pick.append(this.read(hit));
    const img = element("img", "", { alt: "", draggable: false });
    img.onerror = () => pick.classList.add("is-broken");
    pick.append(img);
    const pixels = Math.max(pick.clientWidth, pick.clientHeight) * window.devicePixelRatio;
    Promise.resolve(this.thumbnail(hit, pixels > SHARP ? 640 : 320)).then((src) => (img.src = src), img.onerror);
  }

  async #run(action, hit) {
    await action.run(hit);
    this.refresh();
  }

  #press(cell) {
    const hit = this.#hits.get(cell);
    for (const [at, tool] of cell.querySelectorAll(".grid-tool").entries()) {
      const { label, pressed } = this.actions[at];
      tool.title = tool.ariaLabel = label(hit);
      if (pressed) tool.ariaPressed = pressed(hit);
    }
  }

  /** Fold a copy into its hit. */
  #addCopy({ cell: leader, copies }, cell) {
    const words = copies.length ? " near copies" : " near copy";
    const fold = leader.querySelector(".grid-fold") ?? button("grid-fold", { "aria-expanded": false });
    fold.replaceChildren(`+${copies.length + 1}`, element("span", "", {}, words));
    fold.onclick = () => this.#show(copies, fold);
    leader.firstChild.after(fold);
    cell.classList.add("is-copy");
    if (fold.ariaExpanded === "true") copies.at(-1).after(cell);
    copies.push(cell);
  }

  /** Show or fold copies. */
  #show(copies, fold) {
    const isFolded = fold.ariaExpanded === "false";
    fold.ariaExpanded = isFolded;
    for (const copy of copies) copy.remove();
    if (isFolded) fold.parentElement.after(...copies);
    this.#holdBack();
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

  /** Where an arrow key leads, if anywhere. */
  #neighbour(from, key) {
    const cells = [...this.list.querySelectorAll(".grid-cell:not(.is-waiting)")];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) return cells[cells.indexOf(from) + step];
    const down = { ArrowUp: -1, ArrowDown: 1 }[key];
    const below = (cell) => (cell.offsetTop - from.offsetTop) * down;
    const aside = (cell) => Math.abs(cell.offsetLeft - from.offsetLeft + (cell.offsetWidth - from.offsetWidth) / 2);
    return cells.filter((cell) => below(cell) > 0).sort((a, b) => below(a) - below(b) || aside(a) - aside(b))[0];
  }
}

export const meaningOf = ({ closer_than }) => (closer_than ? `closer than ${+(closer_than * 100).toFixed(3)} % of random pairs` : "");

/** A text itself, or the name of a photo's file. */
export const nameOf = ({ uri, text }) => text ?? uri.split(/[/\\]/).at(-1);

/** Make an element; texts and attributes stay what they are, whatever is in them. */
export function element(tag, className, attributes = {}, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

export const button = (className, attributes, text) => element("button", className, { type: "button", ...attributes }, text);

function drawing(icon) {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  path.setAttribute("d", icon);
  svg.append(path);
  return svg;
}

/** Firefox would also click when the key is released. */
const opensBySpace = ({ key, target }) => key === " " && target.matches(".grid-pick");
