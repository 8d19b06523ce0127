/** Rating: what the compared models find first for a query is judged one by one, by keys or buttons. */

import { nextToRate, putVote, thumbnailOf } from "./api.js";
import { element, nameOf } from "./grid.js";

const SIZE = 640; // px

const $ = (selector) => document.querySelector(selector);
let round; // what the server wants judged
let at = 0; // which of its candidates
let given = []; // votes on it, for going back
let isSending = false;

/** Fetch the next query, beyond one that is passed over. */
async function next(after) {
  const wanted = new URLSearchParams(location.search);
  wanted.delete("token");
  if (after) wanted.set("after", after);
  round = await nextToRate(wanted);
  [at, given] = [0, []];
  show();
}

function show() {
  const isDone = !round.query;
  $("#pair").hidden = $("#verdicts").hidden = isDone;
  $("#done").hidden = !isDone;
  const queries = `${round.queries_judged} of ${round.queries} queries rated`;
  $("#progress").textContent = isDone ? queries : `${round.judged + at + 1} of ${round.judged + round.left} for this query · ${queries}`;
  if (isDone) return;
  put("#asked", round.query);
  put("#candidate", round.candidates[at]);
  $("#undo").disabled = at === 0;
  const following = round.candidates[at + 1];
  if (following && !following.text) new Image().src = thumbnailOf(following, SIZE);
}

/** Show an item in a figure; the same one is left as it is. */
function put(figure, item) {
  const place = $(`${figure} .item`);
  if (place.dataset.id === String(item.id)) return;
  place.dataset.id = item.id;
  if (item.text) return place.replaceChildren(element("p", "", { dir: "auto" }, item.text));
  const img = element("img", "", { alt: nameOf(item), src: thumbnailOf(item, SIZE) });
  img.onerror = () => place.replaceChildren(element("p", "", {}, `${nameOf(item)} cannot be shown any more`));
  place.replaceChildren(img);
}

/** Keep a judgement and go on. */
async function judge(vote) {
  const item = round.candidates[at]?.id; // none, where only the next query could not be fetched
  if (item) {
    await putVote({ query: round.key, item, vote });
    given.push(item);
    at += 1;
  }
  if (at < round.candidates.length) show();
  else await next();
}

/** Take the last judgement on this query back. */
async function undo() {
  if (!given.length) return;
  await putVote({ query: round.key, item: given.at(-1), vote: 0 });
  given.pop();
  at -= 1;
  show();
}

/** One thing at a time; what goes wrong is said, and can be tried again. */
async function attempt(run) {
  if (isSending) return;
  isSending = true;
  $("#problem").hidden = true;
  try {
    await run();
  } catch ({ message }) {
    $("#problem p").textContent = message;
    $("#problem").hidden = false;
    $("#again").onclick = () => attempt(run);
  } finally {
    isSending = false;
  }
}

const keys = {
  1: () => judge(1),
  2: () => judge(-1),
  ArrowLeft: undo,
  ArrowRight: () => next(round.query.id),
};
document.addEventListener("keydown", (event) => {
  const run = keys[event.key];
  if (!run || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !round?.query) return;
  event.preventDefault();
  attempt(run);
});
for (const button of document.querySelectorAll("[data-vote]")) button.onclick = () => attempt(() => judge(Number(button.dataset.vote)));
$("#undo").onclick = () => attempt(undo);
$("#pass").onclick = () => attempt(keys.ArrowRight);
attempt(() => next());
