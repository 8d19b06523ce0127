import { Grid, button, element } from "./grid.js";

/**
 * The widget for notebooks: what is asked goes to the kernel as messages, whose answers are shown. All views of a
 * widget show the same. Python puts the grid in place of the import, for a widget is one module.
 */

const PIECE = 2_000_000; // bytes of a photo that go in one message
const PATIENCE = 3000; // ms until it is said that it takes longer
const KEPT = 300; // thumbnails
const EMPTY = "There are no photos yet. Bring some in with the collection's add, and run this cell again.";

const isAddress = (text) => /^https?:\/\/\S+$/i.test(text);

class View {
  #answer = { answer: 0, hits: [] };
  #isAsking = false; // for more of it
  #busy = 0;
  #scrolls = new Map(); // number of an answer → where it was left
  #thumbnails = new Map(); // item and size → {promise, resolve, reject, url}

  constructor(model, el) {
    Object.assign(this, { model, el });
    this.#build();
    const thumbnail = (hit, size) => this.#thumbnail(hit.id, size);
    const onPick = (hit) => this.#ask({ kind: "item", item: hit.id });
    this.grid = new Grid(this.photos, { thumbnail, onPick, onNeedMore: () => this.#askMore() });
    this.hear = (message, buffers) => this[`on_${message.kind}`]?.(message, buffers);
    model.on("msg:custom", this.hear);
    this.#ask({ kind: "start" });
  }

  destroy() {
    clearTimeout(this.#busy);
    this.model.off("msg:custom", this.hear);
    this.grid.destroy();
    for (const { url } of this.#thumbnails.values()) URL.revokeObjectURL(url);
    this.#showPictures([]);
  }

  // ---- what is there

  #build() {
    const { el } = this;
    el.classList.add("lookalike");
    el.tabIndex = -1; // so that a click makes it hear what is pasted
    this.back = button("", { "aria-label": "Back", title: "Back", disabled: "" }, "←");
    this.back.onclick = () => this.#ask({ kind: "back" });
    this.choose = element("input", "lookalike-unseen", { type: "file", accept: "image/*" });
    const label = element("label", "lookalike-button", {}, "Choose a photo");
    label.append(this.choose);
    const random = button("", {}, "Random");
    random.onclick = () => this.#ask({ kind: "random" });
    const bar = element("div", "lookalike-bar");
    bar.append(this.back, label, this.#buildForm(), random);
    this.status = element("p", "lookalike-status", { role: "status" });
    this.problem = element("p", "lookalike-problem", { role: "alert" });
    this.examples = element("section", "lookalike-examples", { "aria-label": "What you look for" });
    this.photos = element("div", "lookalike-photos", { "aria-busy": "true" });
    this.scroller = element("section", "lookalike-scroller", { "aria-label": "Photos" });
    this.scroller.append(this.status, this.photos);
    const split = element("div", "lookalike-split");
    split.append(this.examples, this.scroller);
    const shade = element("div", "lookalike-shade", {}, "Drop the photo to search by it");
    el.replaceChildren(bar, this.problem, split, shade);
    this.#listen(shade);
  }

  #buildForm() {
    const form = element("form", "lookalike-ask", { role: "search" });
    this.text = element("input", "", { type: "search", autocomplete: "off" });
    form.append(this.text, button("", { type: "submit" }, "Search"));
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = this.text.value.trim();
      if (text) this.#take(text);
    };
    return form;
  }

  #listen(shade) {
    const { el, choose } = this;
    choose.onchange = () => {
      this.#bring(choose.files[0]);
      choose.value = ""; // so that choosing the same file again is a change
    };
    el.addEventListener("keydown", (event) => {
      const isShortcut = event.ctrlKey || event.metaKey || event.altKey; // such as saving the notebook
      if (!isShortcut) event.stopPropagation(); // JupyterLab would do something to the cell
    });
    el.addEventListener("paste", (event) => {
      const [file] = event.clipboardData.files;
      const text = event.clipboardData.getData("text/plain").trim();
      if (file) this.#bring(file);
      else if (text && event.target !== this.text) this.#take(text);
      else return;
      event.preventDefault();
    });
    let leaving = 0;
    el.addEventListener("dragover", (event) => {
      event.preventDefault();
      shade.classList.add("is-shown");
      clearTimeout(leaving);
      leaving = setTimeout(() => shade.classList.remove("is-shown"), 500); // it is told every 350 ms at least
    });
    el.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      shade.classList.remove("is-shown");
      const [file] = event.dataTransfer.files;
      const address = event.dataTransfer.getData("URL");
      if (file) this.#bring(file);
      else if (address) this.#take(address);
    });
  }

  // ---- what is asked

  #send(message, buffers) {
    this.model.send(message, undefined, buffers);
  }

  /** Ask for another answer. */
  #ask(message, buffers) {
    this.#wait();
    this.#send(message, buffers);
  }

  #askMore() {
    if (this.#isAsking || !this.#answer.more || this.photos.ariaBusy === "true") return;
    this.#isAsking = true;
    this.#send({ kind: "more", answer: this.#answer.answer });
  }

  /** Search by an address or by words. */
  #take(text) {
    if (isAddress(text)) this.#ask({ kind: "address", address: text });
    else if (this.#answer.takes_words) this.#ask({ kind: "words", words: text });
    else this.on_problem({ message: "This collection can be searched by photos and addresses of pictures only." });
  }

  async #bring(file) {
    const most = this.#answer.max_upload_bytes;
    if (file.size > most) {
      return this.on_problem({ message: `${file.name} is too large: ${most / 1e6} MB are the most.` });
    }
    this.#wait();
    const content = await file.arrayBuffer().catch(() => null);
    if (!content) return this.on_problem({ message: `${file.name} cannot be read.` });
    const pieces = Math.max(1, Math.ceil(content.byteLength / PIECE));
    for (let piece = 0; piece < pieces; piece++) {
      const part = content.slice(piece * PIECE, (piece + 1) * PIECE);
      this.#send({ kind: "photo", name: file.name.slice(0, 1000), piece, pieces }, [part]);
    }
  }

  #wait() {
    this.photos.ariaBusy = true;
    this.problem.textContent = "";
    clearTimeout(this.#busy);
    const tell = () => (this.status.textContent = "This takes a moment…");
    this.#busy = setTimeout(tell, PATIENCE);
  }

  #stopWaiting() {
    clearTimeout(this.#busy);
    this.photos.ariaBusy = false;
    this.#isAsking = false;
  }

  // ---- what comes from the kernel

  on_answer(answer) {
    this.#stopWaiting();
    this.problem.textContent = "";
    this.back.disabled = !answer.can_go_back;
    if (answer.answer === this.#answer.answer) return this.#describe(); // another view was opened
    const hadFocus = this.photos.contains(document.activeElement);
    this.#scrolls.set(this.#answer.answer, this.scroller.scrollTop);
    this.#answer = answer;
    this.#showExamples();
    this.grid.set(answer.hits, answer);
    this.#describe();
    this.scroller.scrollTop = this.#scrolls.get(answer.answer) ?? 0;
    if (hadFocus) this.photos.querySelector(".grid-pick")?.focus({ preventScroll: true });
  }

  on_more({ answer, hits, more }) {
    if (answer !== this.#answer.answer) return;
    this.#isAsking = false;
    this.#answer.more = more;
    this.#answer.hits.push(...hits);
    this.grid.append(hits, this.#answer);
    this.#describe();
  }

  on_picture({ answer, example }, [picture]) {
    const img = this.examples.children[example]?.querySelector("img");
    if (answer !== this.#answer.answer || !img || img.src) return;
    if (picture) img.src = address(picture);
    else img.parentElement.classList.add("is-broken");
  }

  on_thumbnail({ item, size }, [picture]) {
    const waiting = this.#thumbnails.get(`${item} ${size}`);
    if (!waiting || waiting.url) return;
    if (!picture) return waiting.reject();
    waiting.url = address(picture);
    waiting.resolve(waiting.url);
  }

  on_problem({ message }) {
    this.#stopWaiting();
    this.#describe();
    this.problem.textContent = message;
  }

  /** A promise of a thumbnail's address; the oldest ones make room. */
  #thumbnail(item, size) {
    const key = `${item} ${size}`;
    const known = this.#thumbnails.get(key);
    if (known) return known.promise;
    const wanted = {};
    wanted.promise = new Promise((resolve, reject) => Object.assign(wanted, { resolve, reject }));
    wanted.promise.catch(() => this.#thumbnails.delete(key)); // to be tried again next time
    this.#thumbnails.set(key, wanted);
    if (this.#thumbnails.size > KEPT) this.#drop(this.#thumbnails.keys().next().value);
    this.#send({ kind: "thumbnail", item, size });
    return wanted.promise;
  }

  #drop(key) {
    URL.revokeObjectURL(this.#thumbnails.get(key).url);
    this.#thumbnails.delete(key);
  }

  #showExamples() {
    const { examples } = this.#answer;
    const shown = examples.map(({ name, weight, is_part, is_words }) => {
      const figure = element("figure", weight < 0 ? "is-less" : "");
      if (!is_words) figure.append(element("img", "", { alt: "" }));
      const part = is_part ? "part of " : "";
      const counts = examples.length > 1 ? `, ${weight < 0 ? "less" : "more"} ${Math.abs(weight).toFixed(2)}` : "";
      figure.append(element("figcaption", "", { title: name }, `${part}${name}${counts}`));
      return figure;
    });
    this.#showPictures(shown);
  }

  #showPictures(figures) {
    for (const img of this.examples.querySelectorAll("img")) URL.revokeObjectURL(img.src);
    this.examples.replaceChildren(...figures);
  }

  #describe() {
    const { hits, more, recall, query, items, building, takes_words } = this.#answer;
    const count = `${hits.length.toLocaleString()} shown${more ? "" : ", that is all"}.`;
    const share = recall === null ? "an unmeasured share" : `${(recall * 100).toFixed(1)} %`;
    const loss = recall === null || recall < 1 ? ` The index finds ${share} of the nearest.` : "";
    const slow = building ? " The index is being built: answers are exact, but slower until it is done." : "";
    const said = query ? `Most alike first, ${count}${loss}${slow}` : `Your photos: ${count}`;
    this.status.textContent = hits.length ? said : items === 0 ? EMPTY : query ? "There is no other photo." : "";
    const words = takes_words ? "Words, or the address of a picture" : "Address of a picture";
    this.text.placeholder = this.text.ariaLabel = words;
  }
}

const address = (picture) => URL.createObjectURL(new Blob([picture], { type: "image/jpeg" }));

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.destroy();
  },
};
