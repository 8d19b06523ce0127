/**
 * A query as a value, and as the part of the page's address behind "#", so that history, reload and links work.
 * Values are never changed; functions return new ones.
 *
 * @typedef {object} Example one of item, upload and words
 * @property {number} [item] an item's id
 * @property {string} [upload] the sha256 of a photo that was brought
 * @property {string} [words]
 * @property {number} weight −1 to 1, not 0; below 0 means "less like this"
 * @property {number[]} [box] left, top, width, height as fractions of the upright photo
 *
 * @typedef {{examples: Example[], where: string[], space: string | null}} Query
 *   with conditions such as "taken>=2019"; the space is null for the collection's default
 */

const STEP = 0.25; // of weights
const LESS = -0.5; // the weight that "less like this" begins with
const EXAMPLE = /^(-?[\d.]+)(?:@([\d.]+(?:,[\d.]+){3}))?:(item|upload|words):(.+)$/s;

/** @type {Query} */
export const NOTHING = { examples: [], where: [], space: null };

/** A query of one example, with the filters of another. */
export const of = (what, from) => ({ ...from, examples: [{ ...what, weight: 1 }] });

/** Whether it can be searched by: something must be asked for, not only pushed away. */
export const isAsked = ({ examples }) => examples.some(({ weight }) => weight > 0);

/** Whether two examples show the same, whatever their weights. */
export const isSame = (one, other) => ["item", "upload", "words"].every((kind) => one[kind] === other[kind]);

export const weightOf = ({ examples }, what) => examples.find((one) => isSame(one, what))?.weight ?? 0;

export const without = (query, what) => ({ ...query, examples: query.examples.filter((one) => !isSame(one, what)) });

/** With an example changed as given, or added. */
export function withExample(query, example) {
  const { examples } = query;
  const at = examples.findIndex((one) => isSame(one, example));
  return { ...query, examples: at < 0 ? [...examples, example] : examples.with(at, { ...examples[at], ...example }) };
}

/** With "more like this" (direction 1) or "less like this" (−1) said of an example, or taken back if it was. */
export function toggled(query, what, direction) {
  if (weightOf(query, what) * direction > 0) return without(query, what);
  return withExample(query, { ...what, weight: direction > 0 ? 1 : LESS });
}

/** The weight one step up or down; 0 is left out. */
export const stepped = (weight, direction) =>
  Math.min(1, Math.max(-1, weight + direction * STEP || direction * STEP));

/** The address's part behind "#". @param {Query} query */
export function format({ examples, where, space }) {
  const parts = examples.map(({ weight, box, ...what }) => {
    const [kind, value] = Object.entries(what)[0];
    return ["e", `${weight}${box ? `@${box}` : ""}:${kind}:${value}`];
  });
  parts.push(...where.map((one) => ["where", one]));
  if (space) parts.push(["space", space]);
  return String(new URLSearchParams(parts));
}

/** The query of an address; what cannot be read of it is left out. @returns {Query} */
export function parse(hash) {
  const parts = new URLSearchParams(hash.slice(1));
  const examples = parts.getAll("e").flatMap((text) => parseExample(text) ?? []);
  return { examples, where: parts.getAll("where"), space: parts.get("space") };
}

function parseExample(text) {
  const [, number, sides, kind, value] = EXAMPLE.exec(text) ?? [];
  const weight = Number(number);
  const what = kind === "item" ? Number(value) : value;
  if (!weight || Math.abs(weight) > 1 || Number.isNaN(what)) return null;
  return { [kind]: what, weight, ...(sides && { box: sides.split(",").map(Number) }) };
}

/** The examples as the server takes them, and the uploads that they count. @param {Query} query */
export function toRequest({ examples }) {
  const uploads = [...new Set(examples.flatMap(({ upload }) => upload ?? []))];
  const counted = (example) => ({ ...example, upload: uploads.indexOf(example.upload) });
  return { examples: examples.map((one) => (one.upload ? counted(one) : one)), uploads };
}
