/** What the server answers, page by page: hits; or, with nothing asked, photos. */

import { browseItems, failure, search } from "./api.js";
import { isAsked, toRequest } from "./query.js";
import { find } from "./uploads.js";

const PAGE = 40;
const NO_UPLOAD = "This photo was brought in another browser, or long ago. Please bring it again.";

export class Answer {
  hits = [];
  background = null;
  recall = 1;
  more = true;
  key = null; // what votes are kept under
  #next = null;

  constructor(query) {
    this.query = query;
  }

  /** Fetch and return the next page. */
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
    const { where, hybrid, plain, any } = this.query;
    const { examples, uploads } = toRequest(this.query);
    const photos = await Promise.all(uploads.map(find));
    signal.throwIfAborted();
    if (photos.includes(undefined)) throw failure(NO_UPLOAD, "no_upload");
    const request = { examples, k: PAGE, offset: this.#next ?? 0, where, hybrid, any_way_up: !!any, rerank: plain ? false : null, round: this.round };
    const { query, hits, ...facts } = await search(request, photos, signal);
    this.#next = request.offset + PAGE;
    Object.assign(this, facts, { key: query });
    return hits;
  }
}
