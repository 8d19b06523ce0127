/** The page: follows its address, which holds the query, and wires the parts. */

import { Answer } from "./answer.js";
import * as api from "./api.js";
import { Box } from "./box.js";
import { lookOf, showChips } from "./chips.js";
import { Filters } from "./filters.js";
import { Grid, nameOf } from "./grid.js";
import { isAddress, isField, listen } from "./intake.js";
import { clearProblem, setBusy, showProblem, tell } from "./notices.js";
import * as asked from "./query.js";
import { keep, showOnly } from "./uploads.js";
import { Viewer } from "./viewer.js";
import { Votes } from "./votes.js";

const POLL = 3000; // ms
const UP = "M7 11v9H4v-9zM7 11l4-8c1.5 0 2.5 1 2.5 2.5L13 9h5.5a2 2 0 0 1 2 2.4l-1.3 7A2 2 0 0 1 17.2 20H7";
const DOWN = "M7 13V4H4v9zM7 13l4 8c1.5 0 2.5-1 2.5-2.5L13 15h5.5a2 2 0 0 0 2-2.4l-1.3-7A2 2 0 0 0 17.2 4H7";

const $ = (selector) => document.querySelector(selector);
const put = (selector, text) => ($(selector).textContent = text);
const photos = $("#grid");

let query = asked.NOTHING;
let answer = new Answer(query);
/** @type {Map<string, Answer>} by what follows "#", for going back at once */ const answers = new Map();
let running = new AbortController(); // for what the query now in the address needs
let isFetchingMore = false;
let staged; // the example that is shown large
let collection = { spaces: [] };
let polling = 0;
let scrolling = 0;

const actions = [
  steer("more", "m", "M12 5v14M5 12h14", "More like this", 1),
  steer("less", "l", "M5 12h14", "Less like this", -1),
  thumb("up", "+", UP, "Good hit", 1),
  thumb("down", "-", DOWN, "Bad hit", -1),
];
const votes = new Votes();
const open = (hit) => viewer.open(hit, answer.hits);
const grid = new Grid(photos, { thumbnail: api.thumbnailOf, onPick: searchBy, onOpen: open, actions, onNeedMore: showMore });
const viewer = new Viewer($("#viewer"), [{ text: "Search by this photo", run: searchBy }, ...actions], showMore);
const box = new Box($("#stage"), (drawn) => setBox(drawn, Boolean(drawn && staged.box)));
const filters = new Filters($("#filters"), (where) => go({ ...query, where }));

const commands = {
  start: () => go(asked.NOTHING),
  random: async () => searchBy(await api.randomItem(query.where)),
  keys: () => $("#keys").showModal(),
  skip: () => $("#title").focus(),
  filter: () => showFilters($("#filters").hidden),
  unfilter: () => go({ ...query, where: [] }),
  box: () => box.start(),
  unbox: () => setBox(null),
  copy: copyLink,
};

// ---- the address

/** Change the query, and with it the address. */
function go(next, replace = false) {
  const hash = asked.format(next);
  if (hash === asked.format(query)) return;
  keepScroll();
  history[replace ? "replaceState" : "pushState"](null, "", hash ? `#${hash}` : location.pathname);
  show();
}

function searchBy(hit) {
  $("#viewer").close();
  if (hit) go(asked.of({ item: hit.id }, query));
}

/** Show what the address asks for; what was left before comes back as it was left. */
async function show(left = null) {
  query = asked.parse(location.hash);
  running.abort();
  running = new AbortController();
  const { signal } = running;
  clearTimeout(scrolling);
  clearProblem();
  showQuery();
  setBusy(photos, true);
  const hash = asked.format(query);
  const next = (left && answers.get(hash)) ?? new Answer(query);
  try {
    if (!next.hits.length) await next.fetchMore(signal);
    await knownCollection;
    signal.throwIfAborted();
    answers.set(hash, next);
    showAnswer(next, left?.scroll ?? 0);
  } catch (error) {
    if (!signal.aborted) fail(error, () => show(left));
  }
}

const keepScroll = () => history.replaceState({ scroll: scrollY }, "");

// ---- the answer

function showAnswer(next, scroll) {
  const hadFocus = photos.contains(document.activeElement);
  answer = next;
  setBusy(photos, false);
  grid.set(answer.hits, answer);
  describe();
  scrollTo(0, scroll);
  if (hadFocus) grid.focus();
  votes.load(answer, running.signal).then(() => grid.refresh(), () => {}); // one can do without
  photos.classList.toggle("can-vote", votes.canVote);
  if (answer.hits.length) return;
  if (!collection.items) showProblem("There are no photos yet. Bring some in with: lookalike add FOLDER");
  else if (query.where.length) showProblem("No photo meets these filters.", "Clear filters", commands.unfilter);
  else showProblem("There is no other photo in the collection.");
}

async function showMore() {
  if (isFetchingMore || !answer.more || photos.ariaBusy === "true") return;
  isFetchingMore = true;
  const { signal } = running;
  try {
    const found = await answer.fetchMore(signal);
    if (signal.aborted) return;
    grid.append(found, answer);
    grid.refresh();
    viewer.update();
    describe();
  } catch (error) {
    if (!signal.aborted) fail(error, showMore, true);
  } finally {
    isFetchingMore = false;
  }
}

function describe() {
  const searches = asked.isAsked(query);
  const isFiltered = query.where.length > 0;
  const { hits, more, recall } = answer;
  let status = isFiltered ? "" : `${(collection.items ?? 0).toLocaleString()} in the collection`;
  if (query.examples.length) status = "So far there is only what to push away: choose what to look for.";
  if (searches) status = `${hits.length.toLocaleString()} shown, most alike first${more ? "" : "; that is all"}.`;
  if (searches && recall < 1) status += ` The index finds ${(recall * 100).toFixed(1)} % of the nearest.`;
  put("#status", status);
  put("#title", searches ? "Photos that look alike" : isFiltered ? "Photos that meet the filters" : "Your photos");
}

/** Say what went wrong; hits of another query would mislead, those of this one may stay. */
function fail(error, again, keepHits = false) {
  setBusy(photos, false);
  if (!keepHits) grid.clear();
  photos[keepHits ? "after" : "before"]($("#problem"));
  const { signal } = running;
  const retry = () => {
    clearTimeout(polling);
    clearProblem();
    lookAgain();
    again();
  };
  const probe = () => api.getHealth(signal).then(retry, wait);
  const wait = () => signal.aborted || (polling = setTimeout(probe, POLL));
  if (error.code === "no_upload") return showProblem(error.message, "Start over", commands.start);
  showProblem(error.message, "Try again", retry);
  if (error.code === "gone") wait();
}

// ---- the query

function showQuery() {
  const { examples, where } = query;
  $("#welcome").hidden = examples.length > 0;
  $("#query").hidden = !examples.length;
  filters.show(where);
  if (where.length) showFilters(true);
  showOnly(examples.flatMap(({ upload }) => upload ?? []));
  const change = (example) => go(asked.withExample(query, example), true);
  const remove = (example) => go(asked.without(query, example));
  showChips($("#chips"), examples, { show: stage, change, remove });
  const seen = examples.filter(({ words }) => !words);
  stage(seen.find((one) => asked.isSame(one, staged ?? {})) ?? seen[0]);
}

/** Show an example large, to draw a box on. */
async function stage(example) {
  staged = example;
  $("#staging").hidden = !example;
  if (!example) return;
  $("[data-do=unbox]").hidden = !example.box;
  box.show(example.box ?? null);
  const { name, picture } = await lookOf(example, 640).catch(() => ({ name: "not found" })); // the answer says why
  const img = $("#stage img");
  if (staged !== example || img.src.endsWith(picture)) return;
  img.alt = name;
  img.src = picture ?? "";
}

function setBox(drawn, replace) {
  go(asked.withExample(query, { ...staged, box: drawn ?? undefined }), replace);
}

function showFilters(isShown) {
  $("#filters").hidden = !isShown;
  $("[data-do=filter]").ariaExpanded = isShown;
}

async function bring(files, add) {
  const most = collection.max_upload_bytes;
  const large = files.find(({ size }) => size > most);
  if (large) return tell(`${large.name} is too large: photos of up to ${most / 1e6} MB can be brought.`);
  let next = add ? query : { ...query, examples: [] };
  for (const file of files) next = asked.withExample(next, { upload: await keep(file), weight: 1 });
  go(next);
}

/** Search by an address or by words. */
async function take(text) {
  const able = collection.spaces.filter((space) => space.takes_words);
  if (isAddress(text) && collection.can_fetch) {
    setBusy(photos, true);
    const photo = await api.fetchPhoto(text).finally(() => setBusy(photos, false));
    return bring([photo], false);
  }
  if (isAddress(text) || !able.length) throw new Error("This collection can be searched by photos only.");
  const space = able.some(({ is_default: isDefault }) => isDefault) ? null : able[0].name;
  go({ ...asked.of({ words: text }, query), space });
}

// ---- actions on hits

function steer(name, key, icon, text, direction) {
  const label = (hit) => `${text}: ${nameOf(hit)}`;
  const pressed = ({ id }) => asked.weightOf(query, { item: id }) * direction > 0;
  const run = ({ id }) => go(asked.toggled(query, { item: id }, direction));
  return { name, key, icon, text, label, pressed, run };
}

function thumb(name, key, icon, text, vote) {
  const label = (hit) => `${text}: ${nameOf(hit)}`;
  const pressed = ({ id }) => votes.of(id) === vote;
  const run = async ({ id }) => {
    if (!votes.canVote) return tell("Thumbs are for what a search has found.");
    const sent = votes.toggle(id, vote);
    grid.refresh();
    await sent.catch((error) => tell(`The vote was not kept: ${error.message}`));
  };
  return { name, key, icon, text, label, pressed, run };
}

async function copyLink() {
  const isOwn = query.examples.some(({ upload }) => upload);
  try {
    await navigator.clipboard.writeText(location.href);
    tell(`Link copied.${isOwn ? " It has a photo that you brought, so it works in this browser only." : ""}`);
  } catch {
    tell("This browser does not let the page copy. Please copy the address above.");
  }
}

// ---- the collection

/** Learn what the collection holds and can do; again while that changes. */
async function lookAgain() {
  const before = collection;
  try {
    collection = await api.getCollection();
  } catch {
    return; // the answer says why
  }
  const { building, items, can_fetch: canFetch, spaces } = collection;
  const takesWords = spaces.some((space) => space.takes_words);
  $("#ask").hidden = !canFetch && !takesWords;
  $("#text").placeholder = [takesWords && "Words", canFetch && "Address of a picture"].filter(Boolean).join(" or ");
  $("#building").hidden = !building;
  if (building || !items) setTimeout(lookAgain, POLL);
  if (before.items === items) return;
  api.getFacets().then((facets) => filters.offer(facets), () => {}); // one can do without
  if (before.items === 0) show();
}

// ---- events

/** Do something; say so if it cannot be done. */
const attempt = (run) => (...given) => Promise.resolve(run(...given)).catch(({ message }) => tell(message));

listen(attempt(bring), attempt(take));
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  event.preventDefault();
  const text = $("#text").value.trim();
  if (text) attempt(take)(text);
});
document.addEventListener("click", (event) => {
  const command = commands[event.target.closest("[data-do]")?.dataset.do];
  if (!command) return;
  event.preventDefault();
  attempt(command)();
});
document.addEventListener("keydown", (event) => {
  if (isField(event.target) || event.ctrlKey || event.metaKey || $("dialog[open]")) return;
  if (event.key === "?") commands.keys();
  else if (event.key === "/") $("#text").focus();
  else return;
  event.preventDefault();
});
addEventListener("scroll", () => {
  clearTimeout(scrolling);
  scrolling = setTimeout(keepScroll, 200);
});
addEventListener("popstate", ({ state }) => {
  $("#viewer").close();
  show(state ?? { scroll: 0 });
});
history.scrollRestoration = "manual";
const knownCollection = lookAgain();
show(history.state);
