/** What the server answers to a query, page by page: hits; or, with nothing asked, photos of the collection. */

import { ApiError, browseItems, search } from "./api.js";
import { isAsked, toRequest } from "./query.js";
import { find } from "./uploads.js";

const PAGE = 40;

export class Answer {
  /** @type {import("./api.js").Item[]} */ hits = [];
  /** @type {number | null} */ background = null;
  /** @type {string | null} what votes are kept under */ key = null;
  /** @type {string | null} */ space = null;
  recall = 1;
  more = true;
  #next = null;

  /** @param {import("./query.js").Query} query */
  constructor(query) {
    this.query = query;
  }

  /** Fetch the next page and return what it brought. */
  async fetchMore(signal) {
    const found = await (isAsked(this.query) ? this.#search(signal) : this.#browse(signal));
    this.hits.push(...found);
    return found;
  }

  async #browse(signal) {
    const { where } = this.query;
    const { items, next } = await browseItems({ where, cursor: this.#next, limit: PAGE }, signal);
    this.#next = next;
    this.more = next !== null;
    return items;
  }

  async #search(signal) {
    const { examples, uploads } = toRequest(this.query);
    const photos = await Promise.all(uploads.map(find));
    signal.throwIfAborted();
    if (photos.includes(undefined)) {
      throw new ApiError("This needs a photo that was brought in another browser, or long ago. Please bring it again.", "no_upload");
    }
    const { where, space } = this.query;
    const offset = this.#next ?? 0;
    const { query, hits, ...facts } = await search({ examples, k: PAGE, offset, where, space }, photos, signal);
    this.#next = offset + PAGE;
    Object.assign(this, facts, { key: query });
    return hits;
  }
}
