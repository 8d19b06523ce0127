/** What the page says of itself: that it is busy, what went wrong, what was done. */

const [progress, problem, toast] = ["#progress", "#problem", "#toast"].map((id) => document.querySelector(id));
let waiting = 0;
let forgetting = 0;

/** Show that an answer is on its way; a quick one needs no show. */
export function setBusy(grid, isBusy) {
  clearTimeout(waiting);
  grid.ariaBusy = isBusy;
  if (isBusy) waiting = setTimeout(() => (progress.hidden = false), 150);
  else progress.hidden = true;
}

/** Say what is wrong, and offer a way out. */
export function showProblem(text, label = "", run = null) {
  const [said, way] = problem.children;
  said.textContent = text;
  way.textContent = label;
  way.hidden = !label;
  way.onclick = run;
  problem.hidden = false;
}

export function clearProblem() {
  problem.hidden = true;
}

/** Say something for a few seconds. */
export function tell(text) {
  clearTimeout(forgetting);
  toast.textContent = text;
  forgetting = setTimeout(() => (toast.textContent = ""), 8000);
}
