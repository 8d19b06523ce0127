/** Thumbs up and down: what people say about the hits of one query. */

import { listVotes, putVote } from "./api.js";

export class Votes {
  /** @type {Map<number, number>} item → 1 or −1 */ #of = new Map();
  #pending = new Set();
  #query = null;
  #space = null;

  /** Take up the votes given earlier on what an answer is about; there are none where nothing was asked. */
  async load({ key, space }, signal) {
    const of = new Map();
    Object.assign(this, { canVote: key !== null });
    [this.#of, this.#query, this.#space] = [of, key, space];
    let cursor = null;
    while (this.canVote) {
      const page = await listVotes(key, cursor, signal);
      for (const { item, vote } of page.votes) if (!of.has(item)) of.set(item, vote);
      cursor = page.next;
      if (!cursor) return;
    }
  }

  of(item) {
    return this.#of.get(item) ?? 0;
  }

  /** Vote, or take the same vote back; shown at once, and undone if the server refuses. */
  async toggle(item, vote) {
    if (this.#pending.has(item)) return;
    const [of, before] = [this.#of, this.of(item)];
    const next = before === vote ? 0 : vote;
    of.set(item, next);
    this.#pending.add(item);
    try {
      await putVote({ query: this.#query, item, vote: next, space: this.#space });
    } catch (error) {
      of.set(item, before);
      throw error;
    } finally {
      this.#pending.delete(item);
    }
  }
}
