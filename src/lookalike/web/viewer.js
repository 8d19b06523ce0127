/** A photo large, with its facts. */

import { photoOf, thumbnailOf } from "./api.js";
import { button, element, meaningOf, nameOf } from "./grid.js";

const SHOWN_BY_BROWSERS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"];
const SIZE = 1600; // px

export class Viewer {
  #hits = [];
  #at = 0;

  /** `actions` are those of the grid, with a text each. */
  constructor(dialog, actions, onNeedMore) {
    Object.assign(this, { dialog, actions, onNeedMore });
    this.#find(".previous").onclick = () => this.#show(this.#at - 1);
    this.#find(".next").onclick = () => this.#show(this.#at + 1);
    dialog.addEventListener("keydown", ({ key }) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (step) this.#show(this.#at + step);
    });
  }

  /** Show a hit; the others follow, and `hits` may grow meanwhile. */
  open(hit, hits) {
    this.#hits = hits;
    this.dialog.showModal();
    this.#show(hits.indexOf(hit));
  }

  /** Show the hit at a place; before the first comes the last. */
  #show(at) {
    this.#at = (at + this.#hits.length) % this.#hits.length;
    const hit = this.#hits[this.#at];
    const img = element("img", "", { src: thumbnailOf(hit, SIZE), alt: nameOf(hit) });
    this.#find("img").replaceWith(img); // the old one would stay until the next is there
    this.#find("h2").textContent = nameOf(hit);
    const facts = Object.entries(factsOf(hit)).filter(([, fact]) => fact);
    this.#find("dl").replaceChildren(...facts.flatMap(([name, fact]) => [element("dt", "", {}, name), element("dd", "", {}, fact)]));
    this.#find(".actions").replaceChildren(...this.actions.map((action) => control(action, hit)));
    this.#find("a").href = photoOf(hit);
    this.#find("a").hidden = !SHOWN_BY_BROWSERS.includes(hit.metadata.format);
    if (this.#at > this.#hits.length - 5) this.onNeedMore();
  }

  #find(selector) {
    return this.dialog.querySelector(selector);
  }
}

function control({ text, pressed, run }, hit) {
  const made = button("", {}, text);
  const press = () => pressed && (made.ariaPressed = pressed(hit));
  made.onclick = async () => {
    await run(hit);
    press();
  };
  press();
  return made;
}

function factsOf(hit) {
  const { uri, score, metadata } = hit;
  const { taken, camera, width, height, lat, lon } = metadata;
  return {
    Score: score && `${score.toFixed(4)} ${meaningOf(hit)}`,
    Taken: taken?.replace("T", " "),
    Camera: camera,
    Size: width && `${width} × ${height}`,
    Place: lat !== undefined && `${degrees(lat, "N", "S")}, ${degrees(lon, "E", "W")}`,
    Folder: uri.replace(/[/\\][^/\\]*$/, ""),
  };
}

const degrees = (angle, positive, negative) => `${Math.abs(angle).toFixed(4)}° ${angle < 0 ? negative : positive}`;
