/** Reviewing copies: group by group, two pictures beside each other, decided by keys or buttons. */

import { decideCopies, getCollection, listCopies, removeCopies, thumbnailOf } from "./api.js";
import { Compare, preload } from "./compare.js";
import { count, counted, showFacts } from "./facts.js";
import { button, element, nameOf } from "./grid.js";
import { Removal } from "./removal.js";

const AHEAD = 5; // groups that are fetched before they are needed
const MOST = 500; // members of a group that the server sends
const AGAIN = 2_000; // ms between questions whether more was found
const JUDGED = ["keepLeft", "keepRight", "keepAll", "different"]; // not of one file at several places
const LEVELS = ["file", "photo", "scene"];
const TEXTS = "Copies are looked for among photos. This collection holds texts; an equal text is one item already, wherever it stands.";
const HINTS = {
  file: "Files with other bytes may be the same photo: choose “the same photo” above.",
  photo: "Shots of one moment or thing are at “the same scene” above.",
  scene: "Bring in more photos: lookalike add FOLDER.",
};

const $ = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const compare = new Compare($("#pair"));
const removal = new Removal($("#removal"), (stays, going) => attempt(() => remove(stays, going)));
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
const asked = new URLSearchParams(location.search);
let canRemove = false;
let groups = []; // those that were fetched, in order
let at = 0; // which of them is shown
let right = 1; // which of its members is on the right
let known = null; // the server's last answer
let decisions = []; // of this visit, for undoing: {group, members, items}
let isBusy = false;
let fetching = null;

const level = () => (LEVELS.includes(asked.get("level")) ? asked.get("level") : "photo");
const state = () => (asked.get("state") === "all" ? "all" : "open");
const group = () => groups[at];
const isOneFile = (members) => members.every(({ item }) => item.content === members[0].item.content);
const idsOf = (members) => members.map(({ item }) => item.id);

/** Begin with the groups of the level and state that are asked for. */
async function begin() {
  const { kind, can_remove } = await getCollection();
  canRemove = can_remove;
  if (kind === "text") return end("No copies of photos here", TEXTS);
  $("#choice").hidden = false;
  $("#level").value = level();
  $("#all").checked = state() === "all";
  [groups, at, right, known] = [[], 0, 1, null];
  await more();
  show();
}

/** Fetch the groups after those that are there, one answer at a time. */
function more(limit = 20) {
  fetching ??= fetchMore(limit).finally(() => (fetching = null));
  return fetching;
}

async function fetchMore(limit) {
  const where = asked.getAll("where");
  const [from, of] = [known?.next ?? 0, groups];
  const found = await listCopies({ level: level(), state: state(), where, limit, offset: from });
  if (of !== groups) return; // begun anew meanwhile
  known = found;
  groups.push(...found.groups);
  tell();
}

/** Ask again while photos are being compared: there may be more groups. */
async function keepAsking() {
  try {
    if (known?.progress.is_looking && !document.hidden && !isBusy) {
      const isWaiting = !group();
      await more(isWaiting ? 20 : 1);
      if (isWaiting) show();
    }
  } catch ({ message }) {
    $("#looking").textContent = message;
  }
  setTimeout(keepAsking, AGAIN);
}

function tell() {
  const { total, decided, progress } = known;
  const found = counted(total, "group");
  put($("#progress"), !total ? "" : level() === "file" ? found : `${count(decided)} of ${found} decided`);
  put($("#looking"), looking(progress));
}

function looking({ is_looking, done, total, looked_at, photos, skipped, problem }) {
  const unread = skipped ? ` ${counted(skipped, "photo")} could not be looked at.` : "";
  if (problem) return `Comparing closely ended, and groups may be missing: ${problem}.${unread}`;
  if (!is_looking) return unread;
  const share = total ? `${Math.floor((100 * done) / total)} % done` : `${count(looked_at)} of ${counted(photos, "photo")}`;
  return `Photos are being compared closely (${share}); more groups may come.${unread}`;
}

/** Show a text where it is another one: what is read aloud is not read again. */
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function show() {
  if (!group()) return showEnd();
  const { members, why_best, is_decided, size } = group();
  const copy = members[right];
  reveal("group");
  compare.show(members[0], copy);
  showFacts($("#facts tbody"), members[0], copy, why_best);
  $("#best bdi").textContent = nameOf(members[0].item);
  const many = size > MOST ? ` · the first ${MOST} of ${count(size)}` : "";
  $("#best span").textContent = (is_decided ? "suggested · decided" : "suggested") + many;
  $("#copy bdi").textContent = nameOf(copy.item);
  $("#copy span").textContent = copy.how.join(", ");
  $("[data-do=keepRight] kbd").textContent = right < 9 ? right + 1 : "–";
  $("[data-do=keepAll] span").textContent = members.length > 2 ? `Keep all ${members.length}` : "Keep both";
  const isSame = isOneFile(members);
  for (const name of JUDGED) $(`[data-do=${name}]`).hidden = isSame;
  $("#same").hidden = !isSame;
  $("[data-do=remove]").hidden = !canRemove;
  $("[data-do=align]").hidden = !copy.mapping;
  put($("#said"), `${nameOf(members[0].item)} and ${nameOf(copy.item)}: ${copy.how.join(", ")}`);
  showStrip(members);
  groups[at + 1]?.members.slice(0, 2).forEach(preload);
  if (known.more && at > groups.length - AHEAD) more().catch(() => {}); // asked again at the end, where it is told
}

/** All members but the best one, small. */
function showStrip(members) {
  $("#others").hidden = members.length < 3;
  const small = members.length < 3 ? [] : members.slice(1);
  const shown = small.map(({ item }, place) => {
    const choose = button("", { "aria-label": `Compare ${nameOf(item)}`, "aria-pressed": place + 1 === right });
    choose.append(element("img", "", { src: thumbnailOf(item, 320), alt: "", loading: "lazy" }), element("kbd", "", {}, place + 2));
    choose.onclick = () => turnTo(place + 1);
    const cell = element("li");
    cell.append(choose);
    return cell;
  });
  $("#strip").replaceChildren(...shown);
  shown[right - 1]?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Show what belongs to "group" or "end". */
function reveal(what) {
  const focused = document.activeElement;
  for (const part of all("[data-of]")) part.hidden = part.dataset.of !== what;
  for (const name of ["#others", "#same"]) $(name).hidden ||= what !== "group";
  $("#decide").hidden = !known;
  $("[data-do=undo]").disabled = !decisions.length;
  $("[data-do=previous]").disabled = at === 0;
  if (what === "end" && !focused.checkVisibility()) $("#end button").focus();
}

function showEnd() {
  const { total, decided, progress } = known;
  const photos = counted(progress.photos, "photo");
  const left = progress.photos - progress.looked_at;
  if (!total && progress.is_looking) return end(`No copies found among ${photos} so far`, `${count(left)} are still being compared; what is found is shown here.`);
  if (!total) return end(`No copies found among ${photos}`, HINTS[level()]);
  if (level() === "file") return end(`That was all: ${counted(total, "group")}`, HINTS.file, "Begin again", begin);
  if (decided < total) return end(`${counted(total - decided, "group")} left to decide`, "They were passed over, or found meanwhile.", "Go through them", begin);
  const said = "What was decided holds for these photos, wherever they lie and whatever they are called.";
  if (state() === "all") return end(`All ${counted(total, "group")} decided`, said, "Begin again", begin);
  end(`All ${counted(total, "group")} decided`, said, "Look at them again", () => choose({ state: "all" }));
}

function end(title, text, label, run) {
  $("#end h2").textContent = title;
  $("#end p").textContent = text;
  const go = $("#end button");
  go.textContent = label ?? "";
  go.onclick = () => attempt(run);
  go.hidden = !label;
  reveal("end");
  put($("#said"), `${title}. ${text}`);
}

/** Ask for other groups, and have the address say so. */
function choose(wanted) {
  for (const [name, value] of Object.entries(wanted)) asked.set(name, value);
  history.replaceState(null, "", `?${asked}`);
  return begin();
}

/** Have a verdict kept; only then go on. */
async function decide(verdict, members, best) {
  if (isOneFile(members)) return ($("#toast").textContent = "These are the same file: only which of them stay can be chosen.");
  const [decided, before] = [group(), group().members];
  await decideCopies({ verdict, items: idsOf(members), ...(best && { best: best.item.id }) });
  decisions.push({ group: decided, members: before, items: idsOf(members) });
  if (verdict !== "different" || before.length < 3) return pass(decided);
  decided.members = before.filter((member) => member !== members[1]);
  right = Math.min(right, decided.members.length - 1);
  show();
}

/** Go on behind a group that is decided now. */
function pass(decided) {
  known.decided += decided.is_decided ? 0 : 1;
  decided.is_decided = true;
  tell();
  return go(1);
}

async function undo() {
  const last = decisions.at(-1);
  if (!last) return;
  await decideCopies({ verdict: null, items: last.items });
  decisions.pop();
  known.decided -= last.group.is_decided ? 1 : 0;
  Object.assign(last.group, { members: last.members, is_decided: false });
  if (!groups.includes(last.group)) groups.splice(at, 0, last.group); // of another level
  [at, right] = [groups.indexOf(last.group), 1];
  tell();
  show();
}

/** Show the group after the one that is shown, or before it. */
async function go(step) {
  at = Math.max(0, at + step);
  right = 1;
  while (group()?.members.length < 2 && at + step >= 0) at += step; // nothing is left of it
  if (group()?.members.length < 2) return go(1);
  if (!group()) await more();
  show();
}

function turnTo(place) {
  const { length } = group().members;
  right = 1 + ((place - 1 + length - 1) % (length - 1));
  show();
}

const keep = async (place) => {
  const best = group()?.members[place];
  if (best) await decide("best", group().members, best);
};

/** Move the files of all members but one to the trash. */
async function remove(stays, going) {
  const gone = group();
  const { removed, left } = await removeCopies({ items: idsOf(going), keep: stays.item.id, level: level(), where: asked.getAll("where") });
  const why = left.length ? ` ${counted(left.length, "file")} stayed: ${left[0].reason}.` : "";
  $("#toast").textContent = `${counted(removed.length, "file")} moved to the trash.${why}`;
  decisions = decisions.filter((decision) => decision.group !== gone);
  gone.members = gone.members.filter(({ item }) => !removed.includes(item.id));
  right = 1;
  if (gone.members.length > 1) return show();
  known.total -= 1;
  known.decided -= gone.is_decided ? 1 : 0;
  tell();
  await go(1);
}

function blink() {
  const pair = $("#pair");
  const shows = isCalm.matches && compare.mode === "blink" && !pair.classList.contains("is-best"); // by hand, in turns
  pair.classList.toggle("is-best", shows);
  if (!shows) turn("blink");
}

/** Look in another way, or side by side again. */
function turn(mode) {
  compare.mode = compare.mode === mode ? "both" : mode;
  for (const name of ["blink", "difference"]) $(`[data-do=${name}]`).ariaPressed = compare.mode === name;
}

function align() {
  compare.isAligned = !compare.isAligned;
  $("[data-do=align]").ariaPressed = compare.isAligned;
}

const ofGroup = {
  keepLeft: () => keep(0),
  keepRight: () => keep(right),
  keepAll: () => decide("keep both", group().members),
  different: () => decide("different", [group().members[0], group().members[right]]),
  remove: () => canRemove && removal.ask(group().members),
  next: () => go(1),
  earlier: () => turnTo(right - 1),
  later: () => turnTo(right + 1),
  blink,
  difference: () => turn("difference"),
  align,
  larger: compare.larger,
  smaller: compare.smaller,
  whole: compare.whole,
};
const everywhere = {
  undo,
  previous: () => at && go(-1),
  help: () => $("#keys").showModal(),
  close: () => $("#keys").close(),
};
const keys = { k: "keepAll", n: "different", r: "remove", u: "undo", ArrowLeft: "previous", ArrowRight: "next", Enter: "next", "[": "earlier", "]": "later", b: "blink", d: "difference", a: "align", "+": "larger", "=": "larger", "-": "smaller", 0: "whole", "?": "help" };

/** Do what a button or key stands for. */
function act(name) {
  const run = everywhere[name] ?? (group() && ofGroup[name]);
  if (run) attempt(run);
  else if (name === "next" && !$("#end button").hidden) $("#end button").click();
}

/** One thing at a time; what goes wrong is said, and can be tried again. */
async function attempt(run) {
  if (isBusy) return;
  isBusy = $("main").ariaBusy = true;
  $("#problem").hidden = true;
  $("#toast").textContent = "";
  try {
    await run();
  } catch ({ message }) {
    $("#problem p").textContent = message;
    $("#problem").hidden = false;
    $("#problem button").onclick = () => attempt(run);
  } finally {
    isBusy = $("main").ariaBusy = false;
  }
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const isOwn = target.matches("select, input") || (key === "Enter" && target.matches("button, a"));
  if (isOwn || $("dialog[open]")) return;
  const place = "123456789".indexOf(key);
  const name = keys[key];
  if (!name && place < 0) return;
  event.preventDefault();
  if (name) act(name);
  else if (group()) attempt(() => keep(place));
});
let heldSince = 0;
document.addEventListener("keydown", ({ key, repeat }) => key === "b" && !repeat && (heldSince = performance.now()));
document.addEventListener("keyup", ({ key }) => key === "b" && compare.mode === "blink" && performance.now() - heldSince > 400 && turn("blink"));
for (const tool of all("[data-do]")) tool.onclick = () => act(tool.dataset.do);
$("#level").onchange = ({ target }) => attempt(() => choose({ level: target.value }));
$("#all").onchange = ({ target }) => attempt(() => choose({ state: target.checked ? "all" : "open" }));
compare.isAligned = true;
compare.mode = "both";
attempt(begin).then(keepAsking);
