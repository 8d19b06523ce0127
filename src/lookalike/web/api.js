/**
 * The server's operations. Each rejects with an ApiError, or with an AbortError when its signal says so.
 *
 * @typedef {import("./grid.js").Hit & {content: string}} Item
 */

const PATIENCE = 5; // times that a busy server is asked again

export class ApiError extends Error {
  /** @param {string} code as the server gives it, or "gone" where it does not answer */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** @type {Map<number, Item>} every item seen: an example needs no further request */
const seen = new Map();

export const getHealth = (signal) => json("/health", { signal });
export const getCollection = () => json("/collection");
export const getFacets = () => json("/facets");
export const putVote = (vote) => json("/votes", sent("PUT", vote));
export const listVotes = (query, cursor, signal) => json(`/votes?${asked({ query, cursor })}`, { signal });

/** @returns {Promise<Item>} */
export const getItem = async (id) => seen.get(id) ?? remember([await json(`/items/${id}`)])[0];

/** @returns {Promise<{items: Item[], next: string | null}>} */
export async function browseItems(page, signal) {
  const found = await json(`/items?${asked(page)}`, { signal });
  remember(found.items);
  return found;
}

/** @returns {Promise<Item | undefined>} */
export const randomItem = async (where) => remember((await json(`/items/random?${asked({ where })}`)).items)[0];

/**
 * @param {object} request as the server takes it
 * @param {Blob[]} photos which {"upload": n} of the request's examples count
 */
export async function search(request, photos, signal) {
  const options = photos.length ? form({ query: JSON.stringify(request), photo: photos }) : sent("POST", request);
  const answer = await json("/search", { ...options, signal });
  remember(answer.hits);
  return answer;
}

/** @returns {Promise<Blob>} a JPEG of a photo that this browser cannot show */
export const previewPhoto = async (photo) => (await call("/preview", form({ photo: [photo] }))).blob();

/** @returns {Promise<Blob>} the picture at an address */
export const fetchPhoto = async (address) => (await call("/fetch", sent("POST", { address }))).blob();

/** The address of an item's picture, its longest side ≤ size. @param {Item} item */
export const thumbnailOf = ({ id, content }, size) => `/api/items/${id}/thumbnail?size=${size}&v=${content}`;

export const photoOf = ({ id }) => `/api/items/${id}/photo`;

function remember(items) {
  for (const item of items) seen.set(item.id, item);
  return items;
}

/** Parameters of an address, lists as repeated ones. */
function asked(values) {
  const given = Object.entries(values).filter(([, value]) => value);
  return new URLSearchParams(given.flatMap(([name, value]) => [value].flat().map((one) => [name, one])));
}

function sent(method, value) {
  return { method, body: JSON.stringify(value), headers: { "Content-Type": "application/json" } };
}

function form({ query, photo }) {
  const body = new FormData();
  if (query) body.set("query", query);
  for (const one of photo) body.append("photo", one);
  return { method: "POST", body };
}

async function json(path, options) {
  const response = await call(path, options);
  return reaching(() => response.json());
}

/** Ask; and where the server is busy, ask again when it says. */
async function call(path, options = {}) {
  for (let tries = 0; ; tries++) {
    const response = await reaching(() => fetch(`/api${path}`, options));
    if (response.ok) return response;
    if (response.status !== 503 || tries === PATIENCE) throw await refusal(response);
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    options.signal?.throwIfAborted();
  }
}

async function reaching(ask) {
  try {
    return await ask();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("lookalike does not answer. If it was stopped, start it again: lookalike serve", "gone");
  }
}

async function refusal(response) {
  const { error } = await response.json().catch(() => ({}));
  return new ApiError(error?.message ?? `The server answered with status ${response.status}.`, error?.code);
}
