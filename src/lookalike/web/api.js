/** The server's operations. @typedef {import("./grid.js").Hit & {content: string}} Item */

const PATIENCE = 5; // times that a busy server is asked again
const GONE = "lookalike does not answer. If it was stopped, start it again: lookalike serve";

/** `code` is the server's, or "gone" where it does not answer. */
export const failure = (message, code) => Object.assign(new Error(message), { code });

export const getCollection = () => json("/collection");
export const getFacets = () => json("/facets");
export const getItem = (id) => json(`/items/${id}`);
export const browseItems = (page, signal) => json(`/items?${asked(page)}`, { signal });
export const randomItems = (where) => json(`/items/random?${asked({ where })}`);
export const putClick = (round, item) => json(`/rounds/${round}/clicks`, sent("POST", { item }));
export const nextToRate = (wanted) => json(`/rate?${wanted}`);
export const putVote = (vote) => json("/votes", sent("PUT", vote));
export const listCopies = (page) => json(`/copies?${asked(page)}`);
export const decideCopies = (decision) => json("/copies/decisions", sent("POST", decision));
export const removeCopies = (removal) => json("/copies/remove", sent("POST", removal));
export const listVotes = (query, cursor, signal) => json(`/votes?${asked({ query, cursor })}`, { signal });

/** @param {Blob[]} photos which the request's examples count */
export function search(request, photos, signal) {
  const options = photos.length ? form(photos, JSON.stringify(request)) : sent("POST", request);
  return json("/search", { ...options, signal });
}

/** A JPEG of a photo that this browser cannot show. */
export const previewPhoto = async (photo) => (await call("/preview", form([photo]))).blob();

export const fetchPhoto = async (address) => (await call("/fetch", sent("POST", { address }))).blob();

export const thumbnailOf = ({ id, content }, size) => `/api/items/${id}/thumbnail?size=${size}&v=${content}`;

export const photoOf = ({ id }) => `/api/items/${id}/photo`;

/** Parameters of an address, lists as repeated ones. */
function asked(values) {
  const given = Object.entries(values).filter(([, value]) => value);
  return new URLSearchParams(given.flatMap(([name, value]) => [value].flat().map((one) => [name, one])));
}

function sent(method, value) {
  return { method, body: JSON.stringify(value), headers: { "Content-Type": "application/json" } };
}

function form(photos, query) {
  const body = new FormData();
  if (query) body.set("query", query);
  for (const photo of photos) body.append("photo", photo);
  return { method: "POST", body };
}

async function json(path, options) {
  const response = await call(path, options);
  return reaching(response.json());
}

/** Ask; and where the server is busy, ask again when it says. */
async function call(path, options = {}) {
  for (let tries = 0; ; tries++) {
    const response = await reaching(fetch(`/api${path}`, options));
    if (response.ok) return response;
    const seconds = Number(response.headers.get("Retry-After"));
    if (!seconds || tries === PATIENCE) throw await refusal(response);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    options.signal?.throwIfAborted();
  }
}

async function reaching(answer) {
  try {
    return await answer;
  } catch (error) {
    throw error.name === "AbortError" ? error : failure(GONE, "gone");
  }
}

async function refusal(response) {
  const { error } = await response.json().catch(() => ({}));
  return failure(error?.message ?? `The server answered with status ${response.status}.`, error?.code);
}
