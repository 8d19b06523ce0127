/** A photo large, with its facts. */

import { photoOf, thumbnailOf } from "./api.js";
import { element, nameOf } from "./grid.js";

const SHOWN_BY_BROWSERS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"];
const SIZE = 1600; // px

export class Viewer {
  #hits = [];
  #at = 0;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {(import("./grid.js").Action & {text: string})[]} actions
   * @param {() => void} onNeedMore the last hits are reached
   */
  constructor(dialog, actions, onNeedMore) {
    Object.assign(this, { dialog, actions, onNeedMore });
    const step = (by) => this.#hits[this.#at + by] && this.#show(this.#at + by);
    const run = { previous: () => step(-1), next: () => step(1), close: () => dialog.close() };
    dialog.addEventListener("click", ({ target }) => run[target === dialog ? "close" : target.dataset.do]?.());
    dialog.addEventListener("keydown", ({ key }) => run[{ ArrowLeft: "previous", ArrowRight: "next" }[key]]?.());
  }

  /** @param {import("./api.js").Item} hit @param {import("./api.js").Item[]} hits grows as more are fetched */
  open(hit, hits) {
    this.#hits = hits;
    this.dialog.showModal();
    this.#show(hits.indexOf(hit));
  }

  /** Look again whether there are photos before and after. */
  update() {
    this.#find("[data-do=previous]").disabled = this.#at === 0;
    this.#find("[data-do=next]").disabled = this.#at >= this.#hits.length - 1;
  }

  #show(at) {
    this.#at = at;
    const hit = this.#hits[at];
    const img = element("img", "", { src: thumbnailOf(hit, SIZE), alt: nameOf(hit) });
    this.#find("img").replaceWith(img); // a new one, as the old would show its photo until the next is there
    this.#find("h2").textContent = nameOf(hit);
    const facts = Object.entries(factsOf(hit)).filter(([, fact]) => fact);
    this.#find("dl").replaceChildren(...facts.flatMap(([name, fact]) => [element("dt", "", {}, name), element("dd", "", {}, fact)]));
    this.#find(".actions").replaceChildren(...this.actions.map((action) => button(action, hit)));
    this.#find("a").href = photoOf(hit);
    this.#find("a").hidden = !SHOWN_BY_BROWSERS.includes(hit.metadata.format);
    this.update();
    if (at > this.#hits.length - 4) this.onNeedMore();
  }

  #find(selector) {
    return this.dialog.querySelector(selector);
  }
}

function button({ text, pressed, run }, hit) {
  const made = element("button", "", { type: "button" }, text);
  const press = () => pressed && (made.ariaPressed = pressed(hit));
  made.addEventListener("click", async () => {
    await run(hit);
    press();
  });
  press();
  return made;
}

function factsOf({ uri, score, metadata }) {
  const { taken, camera, width, height, lat, lon } = metadata;
  return {
    Score: score?.toFixed(4),
    Taken: taken && dateOf(taken),
    Camera: camera,
    Size: width && `${width} × ${height}`,
    Place: lat !== undefined && `${degrees(lat, "N", "S")}, ${degrees(lon, "E", "W")}`,
    Folder: uri.replace(/[/\\][^/\\]*$/, ""),
  };
}

const degrees = (angle, positive, negative) => `${Math.abs(angle).toFixed(4)}° ${angle < 0 ? negative : positive}`;

function dateOf(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.valueOf()) ? moment : date.toLocaleString([], { dateStyle: "long", timeStyle: "short" });
}
