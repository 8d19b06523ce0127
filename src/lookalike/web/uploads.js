/**
 * The photos that were brought, by sha256. This browser keeps the last few, so that history, reload and bookmarks
 * work; nothing else keeps them.
 */

import { previewPhoto } from "./api.js";

const KEPT = 20;

/** @type {Map<string, Blob>} also where the browser keeps nothing, as in private windows */
const held = new Map();
/** @type {Map<string, Promise<string>>} sha256 → address of a picture to show */
const pictures = new Map();
const database = open().catch(() => null);

/** Keep a photo. @param {Blob} photo @returns {Promise<string>} its sha256 */
export async function keep(photo) {
  const sha = await sha256(await photo.arrayBuffer());
  held.set(sha, photo);
  const store = await uploads("readwrite");
  store?.put({ sha, photo, at: Date.now() });
  const oldestFirst = store ? await done(store.index("at").getAllKeys()) : [];
  for (const one of oldestFirst.slice(0, -KEPT)) store.delete(one);
  return sha;
}

/** @returns {Promise<Blob | undefined>} undefined if it is not kept here, or no longer */
export async function find(sha) {
  return held.get(sha) ?? (await done((await uploads("readonly"))?.get(sha)))?.photo;
}

/** An address at which the photo can be shown; the server helps where the browser cannot decode it. */
export function pictureOf(sha) {
  if (!pictures.has(sha)) pictures.set(sha, picture(sha));
  return pictures.get(sha);
}

/** Let go of the pictures of all other photos. @param {string[]} shas */
export function showOnly(shas) {
  for (const [sha, address] of pictures) {
    if (shas.includes(sha)) continue;
    pictures.delete(sha);
    address.then(URL.revokeObjectURL, () => {});
  }
}

async function picture(sha) {
  const photo = await find(sha);
  if (!photo) throw new Error("not kept in this browser");
  const img = new Image();
  img.src = URL.createObjectURL(photo);
  try {
    await img.decode();
    return img.src;
  } catch {
    URL.revokeObjectURL(img.src);
    return URL.createObjectURL(await previewPhoto(photo));
  }
}

/** On other than secure origins browsers do not hash; a random name does as well, only not twice for a photo. */
async function sha256(bytes) {
  const digest = await (crypto.subtle?.digest("SHA-256", bytes) ?? crypto.getRandomValues(new Uint8Array(32)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function open() {
  const request = indexedDB.open("lookalike", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("uploads", { keyPath: "sha" }).createIndex("at", "at");
  return done(request);
}

/** @returns {Promise<IDBObjectStore | undefined>} */
const uploads = async (mode) => (await database)?.transaction("uploads", mode).objectStore("uploads");

/** @template T @param {IDBRequest<T>} [request] @returns {Promise<T | undefined>} */
function done(request) {
  return new Promise((resolve, reject) => {
    if (!request) return resolve();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
