/** The photos that were brought, by sha256; this browser keeps the last few. */

import { previewPhoto } from "./api.js";

const KEPT = 20;

const held = new Map(); // sha256 → photo
const pictures = new Map(); // sha256 → promise of an address
const database = open().catch(() => null);

/** @param {Blob} photo @returns {Promise<string>} its sha256 */
export async function keep(photo) {
  const sha = await sha256(await photo.arrayBuffer());
  held.set(sha, photo);
  pictures.delete(sha);
  await write({ sha, photo, at: Date.now() }).catch(() => {}); // one can do without
  return sha;
}

async function write(upload) {
  const store = await uploads("readwrite");
  store?.put(upload);
  const oldestFirst = (await done(store?.index("at").getAllKeys())) ?? [];
  for (const one of oldestFirst.slice(0, -KEPT)) store.delete(one);
}

/** @returns {Promise<Blob | undefined>} undefined if it is not kept, or no longer */
export async function find(sha) {
  return held.get(sha) ?? (await done((await uploads("readonly"))?.get(sha)))?.photo;
}

/** An address that shows the photo, by the server's help if need be. */
export function pictureOf(sha) {
  if (!pictures.has(sha)) pictures.set(sha, picture(sha));
  return pictures.get(sha);
}

/** Let go of the pictures of all other photos. */
export function showOnly(shas) {
  for (const [sha, address] of pictures) {
    if (shas.includes(sha)) continue;
    pictures.delete(sha);
    address.then(URL.revokeObjectURL, () => {});
  }
}

async function picture(sha) {
  const photo = await find(sha);
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

/** Or a random name, as browsers hash on secure origins only. */
async function sha256(bytes) {
  const digest = await (crypto.subtle?.digest("SHA-256", bytes) ?? crypto.getRandomValues(new Uint8Array(32)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function open() {
  const request = indexedDB.open("lookalike", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("uploads", { keyPath: "sha" }).createIndex("at", "at");
  return done(request);
}

async function uploads(mode) {
  return (await database)?.transaction("uploads", mode).objectStore("uploads");
}

function done(request) {
  return new Promise((resolve, reject) => {
    if (!request) return resolve();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
