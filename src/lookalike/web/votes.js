/** Thumbs up and down: what people say about the hits of one query. */

import { listVotes, putVote } from "./api.js";

export class Votes {
  #of = new Map(); // item → 1 or −1
  #sent = Promise.resolve();

  /** Take up the votes given earlier on an answer's query; there are none where nothing was asked. */
  async load({ key, space, round }, signal) {
    const of = new Map();
    this.#of = of;
    Object.assign(this, { key, space, round });
    for (let next = null; key && next !== undefined; ) {
      const page = await listVotes(key, next, signal);
      for (const { item, vote } of page.votes) if (!of.has(item)) of.set(item, vote);
      next = page.next ?? undefined;
    }
  }

  of(item) {
    return this.#of.get(item) ?? 0;
  }

  /** Vote, or take the same vote back; shown at once, and undone if the server refuses. */
  async toggle(item, vote) {
    const [of, before] = [this.#of, this.of(item)];
    const request = { query: this.key, item, vote: before === vote ? 0 : vote, space: this.space, round: this.round };
    of.set(item, request.vote);
    this.#sent = this.#sent.catch(() => {}).then(() => putVote(request)); // none may overtake another
    await this.#sent.catch((error) => {
      of.set(item, before);
      throw error;
    });
  }
}
