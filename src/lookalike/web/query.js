/**
 * A query as a value, and as what follows "#" in the page's address.
 *
 * @typedef {{item?: number, upload?: string, words?: string, weight: number, box?: number[]}} Example
 *   an item's id, an upload's sha256, or words; the box is left, top, width, height as fractions of the photo
 * @typedef {{examples: Example[], where: string[], hybrid: boolean, plain: boolean, any: boolean}} Query
 *   plain: by score alone; any: any way up, null but for one upload
 */

const STEP = 0.25; // of weights
const LESS = -0.5; // the first weight of "less like this"
const EXAMPLE = /^(-?[\d.]+)(?:@([\d.]+(?:,[\d.]+){3}))?:(item|upload|words):(.+)$/s;

/** @type {Query} */
export const NOTHING = { examples: [], where: [], hybrid: false, plain: false };

/** Whether something is asked for, and not only pushed away. */
export const isAsked = ({ examples }) => examples.some(({ weight }) => weight > 0);

export const isSame = (one, other) => ["item", "upload", "words"].every((kind) => one[kind] === other?.[kind]);

export const weightOf = ({ examples }, what) => examples.find((one) => isSame(one, what))?.weight ?? 0;

/** The same filters, and one example. */
export const only = (query, what) => ({ ...query, examples: [{ ...what, weight: 1 }] });

export const without = (query, what) => ({ ...query, examples: query.examples.filter((one) => !isSame(one, what)) });

/** With an example changed as given, or added. */
export function withExample({ examples, ...query }, example) {
  const at = examples.findIndex((one) => isSame(one, example));
  return { ...query, examples: at < 0 ? [...examples, example] : examples.with(at, { ...examples[at], ...example }) };
}

/** With "more like this" (1) or "less like this" (−1) said of an example, or taken back. */
export function toggled(query, what, direction) {
  if (weightOf(query, what) * direction > 0) return without(query, what);
  return withExample(query, { ...what, weight: direction > 0 ? 1 : LESS });
}

/** The weight one step up or down; 0 is left out. */
export const stepped = (weight, direction) =>
  Math.min(1, Math.max(-1, weight + direction * STEP || direction * STEP));

export function format({ examples, where, ...switches }) {
  const parts = examples.map(({ weight, box, ...what }) => {
    const [kind, value] = Object.entries(what)[0];
    return ["e", `${weight}${box ? `@${box}` : ""}:${kind}:${value}`];
  });
  parts.push(...where.map((one) => ["where", one]));
  for (const [name, isOn] of Object.entries(switches)) if (isOn) parts.push([name, 1]);
  return String(new URLSearchParams(parts));
}

/** What cannot be read is left out. @returns {Query} */
export function parse(hash) {
  const parts = new URLSearchParams(hash.slice(1));
  const examples = parts.getAll("e").flatMap((text) => parseExample(text) ?? []);
  const any = examples.length === 1 && examples[0].upload ? parts.has("any") : null;
  return { examples, where: parts.getAll("where"), hybrid: parts.has("hybrid"), plain: parts.has("plain"), any };
}

function parseExample(text) {
  const [, number, box, kind, value] = EXAMPLE.exec(text) ?? [];
  const weight = Number(number);
  const what = kind === "item" ? Number(value) : value;
  if (!weight || Math.abs(weight) > 1 || Number.isNaN(what)) return null;
  return { [kind]: what, weight, ...(box && { box: box.split(",").map(Number) }) };
}

/** The examples as the server takes them, with numbers for uploads. */
export function toRequest({ examples }) {
  const uploads = [...new Set(examples.flatMap(({ upload }) => upload ?? []))];
  const counted = (example) => ({ ...example, upload: uploads.indexOf(example.upload) });
  return { examples: examples.map((one) => (one.upload ? counted(one) : one)), uploads };
}
