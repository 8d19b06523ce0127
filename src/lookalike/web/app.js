/** The page: follows its address, which holds the query, and wires the parts. */

import { Answer } from "./answer.js";
import * as api from "./api.js";
import { Box } from "./box.js";
import { lookOf, showChips } from "./chips.js";
import { Filters } from "./filters.js";
import { Grid, nameOf } from "./grid.js";
import { isAddress, isField, listen } from "./intake.js";
import * as asked from "./query.js";
import { keep, showOnly } from "./uploads.js";
import { Votes } from "./votes.js";

const POLL = 3000; // ms
const UP = "M7 11v9H4v-9zM7 11l4-8c1.5 0 2.5 1 2.5 2.5L13 9h5.5a2 2 0 0 1 2 2.4l-1.3 7A2 2 0 0 1 17.2 20H7";
const DOWN = "M7 13V4H4v9zM7 13l4 8c1.5 0 2.5-1 2.5-2.5L13 15h5.5a2 2 0 0 0 2-2.4l-1.3-7A2 2 0 0 0 17.2 4H7";

const $ = (selector) => document.querySelector(selector);
const put = (selector, text) => ($(selector).textContent = text);
const photos = $("#grid");

let query = asked.NOTHING;
let answer = new Answer(query);
const answers = new Map(); // by what follows "#", for going back at once
let running = new AbortController(); // for the query
let isFetchingMore = false;
let staged; // the example that is shown large
let collection = { spaces: [] };
let titles = ["Your photos", "Photos that look alike"];
let texts; // a module, where they are texts
let takesWords;
let viewer; // once opened
let looking = 0;
let polling = 0;
let scrolling = 0;
let telling = 0;

const votes = new Votes();
const actions = [
  { name: "more", key: "m", icon: "M12 5v14M5 12h14", text: "More like this", ...steer(1) },
  { name: "less", key: "l", icon: "M5 12h14", text: "Less like this", ...steer(-1) },
  { name: "up", key: "+", icon: UP, text: "Good hit", ...thumb(1) },
  { name: "down", key: "-", icon: DOWN, text: "Bad hit", ...thumb(-1) },
].map((action) => ({ ...action, label: (hit) => `${action.text}: ${nameOf(hit)}` }));
const grid = new Grid(photos, { thumbnail: api.thumbnailOf, onPick: searchBy, onOpen, actions, onNeedMore: showMore });
const box = new Box($("#stage"), setBox);
const filters = new Filters($("#filters"), (where) => go({ ...query, where }));

const commands = {
  start: () => go(asked.NOTHING),
  random: async () => searchFor((await api.randomItems(query.where)).items[0]),
  keys: () => $("#keys").showModal(),
  close: () => $("dialog[open]").close(),
  skip: () => $("#title").focus(),
  filter: () => showFilters($("#filters").hidden),
  unfilter: () => go({ ...query, where: [] }),
  box: () => box.start(),
  unbox: () => setBox(null),
  copy: copyLink,
};

// ---- the address

/** Change the query and the address. */
function go(next, replace = false) {
  const hash = asked.format(next);
  if (hash === asked.format(query)) return show();
  keepScroll();
  history[replace ? "replaceState" : "pushState"](null, "", `#${hash}`);
  show();
}

/** Show a hit large. */
async function onOpen(hit) {
  opened(hit);
  const { Viewer } = await import("./viewer.js");
  viewer ??= new Viewer($("#viewer"), [{ text: "Search by this photo", run: searchBy }, ...actions], showMore);
  viewer.open(hit, answer.hits);
}

/** For two models that answer in turns. */
function opened({ id }) {
  if (answer.round) api.putClick(answer.round, id).catch(() => {});
}

function searchBy(hit) {
  $("#viewer").close();
  opened(hit);
  searchFor(hit);
}

function searchFor(item) {
  if (item) go(asked.only(query, { item: item.id }));
}

/** Show what the address asks for. */
async function show(left = null) {
  query = asked.parse(location.hash);
  running.abort();
  running = new AbortController();
  const { signal } = running;
  clearTimeout(scrolling);
  clearTimeout(polling);
  showQuery();
  photos.ariaBusy = true;
  const hash = asked.format(query);
  const next = (left && answers.get(hash)) ?? new Answer(query);
  try {
    if (!next.hits.length) await next.fetchMore(signal);
    await knownCollection;
    await texts?.readFor(query, grid);
    signal.throwIfAborted();
    answers.set(hash, next);
    showAnswer(next, left?.scroll ?? 0);
  } catch (error) {
    if (!signal.aborted) fail(error, left);
  }
}

const keepScroll = () => history.replaceState({ scroll: scrollY }, "");

// ---- the answer

function showAnswer(next, scroll) {
  const hadFocus = photos.contains(document.activeElement);
  answer = next;
  photos.ariaBusy = false;
  $("#problem").hidden = true;
  grid.set(answer.hits, answer);
  describe();
  scrollTo(0, scroll);
  if (hadFocus) $(".grid-pick")?.focus({ preventScroll: true });
  votes.load(answer, running.signal).then(() => grid.refresh(), () => {}); // one can do without
  photos.classList.toggle("can-vote", votes.key !== null);
  const [best] = answer.hits;
  const turn = () => go({ ...query, any: true });
  if (query.any === false && best?.score < answer.background) showProblem("Nothing much like it.", "Look for it turned, mirrored or cropped", turn);
  if (best) return;
  if (!collection.items) showProblem("There is nothing yet. Bring something in with: lookalike add FOLDER");
  else if (query.where.length) showProblem("Nothing meets these filters.", "Clear filters", commands.unfilter);
  else showProblem("There is nothing else in the collection.");
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
    describe();
  } catch (error) {
    if (signal.aborted) return;
    tell(error.message);
    if (error.code === "gone") polling = setTimeout(showMore, POLL);
  } finally {
    isFetchingMore = false;
  }
}

function describe() {
  const { hits, more, recall } = answer;
  const isSearch = asked.isAsked(query);
  const share = recall === null ? "an unmeasured share" : `${(recall * 100).toFixed(1)} %`;
  const loss = recall === null || recall < 1 ? ` The index finds ${share} of the nearest.` : "";
  const [left, missing] = [answer.damaged?.length ?? 0, answer.missing ?? 0];
  const harm =
    (left ? ` ${left} left out, being damaged: run lookalike verify --repair.` : "") +
    (missing ? ` ${missing} left out, not being found just now: ask again, or run lookalike verify.` : "");
  let status = hits.length ? `${hits.length} shown${more ? "" : ", that is all"}.` : "";
  if (isSearch && status) status = `Most alike first, ${status}${loss}${harm}`;
  else if (query.examples.length) status = "Only what to push away so far: choose what to look for.";
  $("#order").hidden = !(answer.reranked || (isSearch && query.plain));
  put("#title", titles[Number(isSearch)]);
  put("#status", status);
}

function fail(error, left) {
  photos.ariaBusy = false;
  grid.clear();
  const retry = () => {
    lookAgain();
    show(left);
  };
  showProblem(error.message, error.code !== "no_upload" && "Try again", retry);
  if (error.code === "gone") polling = setTimeout(retry, POLL);
}

function showProblem(text, label, run) {
  const [said, way] = $("#problem").children;
  if (said.textContent !== text) said.textContent = text; // to be read out once
  way.textContent = label || "";
  way.hidden = !label;
  way.onclick = run;
  $("#problem").hidden = false;
}

function tell(text) {
  clearTimeout(telling);
  put("#toast", text);
  telling = setTimeout(put, 8000, "#toast", "");
}

// ---- the query

function showQuery() {
  const { examples, where } = query;
  $("main").hidden = false;
  $("#welcome").hidden = examples.length > 0;
  $("#query").hidden = !examples.length;
  filters.show(where);
  $("#plain").checked = query.plain;
  if (where.length) showFilters(true);
  showOnly(examples.flatMap(({ upload }) => upload ?? []));
  const change = (example) => go(asked.withExample(query, example), true);
  const remove = (example) => go(asked.without(query, example));
  showChips($("#chips"), examples, { show: stage, change, remove });
  const seen = examples.filter(({ words }) => !words);
  stage(seen.find((one) => asked.isSame(one, staged)) ?? seen[0]);
}

/** Show an example large. */
async function stage(example) {
  staged = example;
  $("#frame").hidden = $("[data-do=box]").hidden = !example;
  $("[data-do=unbox]").hidden = !example?.box;
  if (!example) return;
  box.show(example.box ?? null);
  const { name, picture } = await lookOf(example, 640).catch(() => ({ name: "not found" })); // the answer says why
  const img = $("#stage img");
  if (staged !== example || img.src.endsWith(picture)) return;
  $("#frame").hidden = $("[data-do=box]").hidden = !picture;
  img.alt = name;
  img.src = picture ?? "";
}

function setBox(drawn) {
  go(asked.withExample(query, { ...staged, box: drawn ?? undefined }));
}

function showFilters(isShown) {
  $("#filters").hidden = !isShown;
  $("[data-do=filter]").ariaExpanded = isShown;
}

async function bring(files, add) {
  const most = collection.max_upload_bytes;
  const large = files.find(({ size }) => size > most);
  if (large) throw new Error(`${large.name} is too large: ${most / 1e6} MB are the most.`);
  let next = add ? query : { ...query, any: false, examples: [] };
  for (const file of files) next = asked.withExample(next, { upload: await keep(file), weight: 1 });
  go(next);
}

/** Search by an address or by words. */
async function take(text) {
  if (isAddress(text) && collection.can_fetch) {
    photos.ariaBusy = true;
    const photo = await api.fetchPhoto(text).finally(() => (photos.ariaBusy = false));
    return bring([photo], false);
  }
  if (isAddress(text) || !takesWords) throw new Error("This collection can be searched by photos only.");
  go(asked.only(query, { words: text }));
}

// ---- actions on hits

function steer(direction) {
  return {
    pressed: ({ id }) => asked.weightOf(query, { item: id }) * direction > 0,
    run: ({ id }) => go(asked.toggled(query, { item: id }, direction)),
  };
}

function thumb(vote) {
  const run = async ({ id }) => {
    if (!votes.key) throw new Error("Search first: thumbs are for hits.");
    const sent = votes.toggle(id, vote);
    grid.refresh();
    await sent;
  };
  return { pressed: ({ id }) => votes.of(id) === vote, run: attempt(run) };
}

async function copyLink() {
  const isOwn = query.examples.some(({ upload }) => upload);
  if (!navigator.clipboard) throw new Error("This page may not copy; please copy the address above.");
  await navigator.clipboard.writeText(location.href);
  tell(`Link copied.${isOwn ? " It has a photo that you brought, so it works in this browser only." : ""}`);
}

// ---- the collection

/** Learn what the collection holds and can do. */
async function lookAgain() {
  const before = collection.items;
  collection = await api.getCollection().catch(() => collection);
  const { building, items, can_fetch, kind, spaces } = collection;
  takesWords = spaces.some((space) => space.takes_words);
  if (kind === "text" && !texts) {
    texts = await import("./texts.js");
    titles = texts.dress(grid, (hybrid) => go({ ...query, hybrid }));
  }
  $("#ask").hidden = !can_fetch && !takesWords;
  $("#text").placeholder = takesWords ? "Words" : "Address of a picture";
  $("#building").hidden = !building;
  clearTimeout(looking);
  if (building || items === 0) looking = setTimeout(lookAgain, POLL);
  if (before === items) return;
  api.getFacets().then((facets) => filters.offer(facets), () => {}); // one can do without
  if (before === 0) show();
}

// ---- events

/** Do it, or say why not. */
function attempt(run) {
  return async (...given) => run(...given)?.catch(({ message }) => tell(message));
}

listen(attempt(bring), attempt(take));
$("#ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("#text").value.trim();
  if (text) attempt(take)(text);
});
$("#plain").onchange = ({ target }) => go({ ...query, plain: target.checked });
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
