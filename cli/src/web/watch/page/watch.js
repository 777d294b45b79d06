// The watch page: asks for updates of all runs once a second and shows curves and replays.

import { ask, Refused } from "./ask.js";
import { Chart, short } from "./chart.js";
import { $, make, sentence } from "./dom.js";
import * as replays from "./replays.js";

/** Milliseconds between two requests, and the longest wait after failed ones. */
const INTERVAL = 1000;
const LONGEST_INTERVAL = 8000;
/** Largest number of points per run; beyond it, every other point is dropped. */
const POINTS = 8000;
/** Number of colours; further runs reuse them. */
const COLOURS = 7;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Each run's latest update, its columns so far, and whether it is visible. */
let runs = [];
let xAxis = localStorage.getItem("along") === "queries" ? "queries" : "steps";

// ---- curves

const FIGURES = [
  { title: "Task return", column: "task_return", band: "deviation", main: true, note: "band: one standard deviation" },
  { title: "Cost", column: "cost" },
  { title: "Multiplier", column: "multiplier" },
  { title: "Win-rate spread", column: "spread", of: (run) => run.update.scorer === "self_play" },
  { title: "Reward accuracy", column: "accuracy", of: (run) => run.columns.accuracy.some((a) => a !== null) },
  { title: "Entropy (nats)", column: "entropy" },
  { title: "KL (old, new)", column: "kl" },
  { title: "Queries", column: "queries", other: true },
];

/** Whether a run has values for this chart. Columns that its learner or scorer does not use are all zero. */
function has(run, { column, of }) {
  return run.columns.steps.length > 0 && (of ? of(run) : run.columns[column].some((value) => value));
}

const hasQueries = (run) => run.columns.queries.at(-1) > 0;

function lines(figure) {
  // If the x axis shows queries, this chart shows steps.
  const column = figure.other && xAxis === "queries" ? "steps" : figure.column;
  const line = (run) => {
    const { colour, columns, update } = run;
    const own = { name: update.name, colour };
    // A run without queries is a horizontal line: a level to reach.
    if (xAxis === "queries" && !hasQueries(run)) return figure.main ? { ...own, level: columns.task_return.at(-1) } : own;
    own.x = columns[xAxis];
    own.y = columns[column];
    if (figure.band) own.band = columns[figure.band];
    if (figure.main && update.result) own.mark = { y: update.result.mean, half: update.result.ci95 };
    return own;
  };
  return runs.filter((run) => run.shown && has(run, figure)).map(line);
}

const charts = FIGURES.map((figure) => {
  const frame = make("figure", figure.main ? "main" : "");
  frame.dataset.figure = figure.column;
  const [caption, canvas, tip] = [make("figcaption"), make("canvas"), make("div", "tip")];
  caption.append(make("span", "", figure.title), make("span", "end", figure.note ?? ""));
  canvas.setAttribute("role", "img");
  tip.hidden = true;
  frame.append(caption, canvas, tip);
  $("charts").append(frame);
  const pointed = (x) => charts.forEach((chart) => ((chart.x = x), chart.draw()));
  const chart = new Chart(canvas, tip, { lines: () => lines(figure), pointed, unit: () => xAxis });
  return Object.assign(chart, { figure, frame, title: caption.firstChild, note: caption.lastChild });
});

function drawCharts() {
  const begun = runs.some((run) => run.columns.steps.length > 0);
  $("none").hidden = begun;
  for (const chart of charts) {
    const { figure, frame, canvas } = chart;
    frame.hidden = !runs.some((run) => has(run, figure));
    if (figure.other) chart.title.textContent = xAxis === "queries" ? "Environment steps" : "Queries";
    canvas.setAttribute("aria-label", `${chart.title.textContent} against ${xAxis}`);
    if (!frame.hidden) chart.draw();
    chart.note.hidden = !chart.banded;
  }
  const small = charts.filter(({ figure, frame }) => !figure.main && !frame.hidden).length;
  $("charts").style.setProperty("--small", Math.max(small, 1));
  const points = runs.reduce((sum, run) => sum + run.columns.steps.length, 0);
  document.body.dataset.points = points;
}

function setXAxis(to) {
  xAxis = to;
  localStorage.setItem("along", to);
  $("by-steps").setAttribute("aria-pressed", to === "steps");
  $("by-queries").setAttribute("aria-pressed", to === "queries");
  drawCharts();
}

// ---- the list of runs

const STATES = {
  not_begun: "not begun",
  training: "training",
  stopped: "stopped",
  finished: "finished",
  failed: "failed",
  damaged: "damaged",
};

function figure(value, unit, name) {
  const element = make("span", `figure ${name}`, value);
  element.append(make("small", "", unit));
  return element;
}

function runItem(run, index) {
  const { update, columns } = run;
  const button = make("button", "run");
  button.style.setProperty("--own", run.colour);
  button.setAttribute("aria-pressed", run.shown);
  button.title = run.shown ? "Hide this run's curves" : "Show this run's curves";
  const name = make("span", "name", update.name);
  name.append(make("small", "", update.label));
  const chip = make("span", "chip", STATES[update.state]);
  chip.dataset.state = update.state;
  if (update.state === "training" && update.silent > 15) chip.append(` · last row ${ago(update.silent)} ago`);
  const { result } = update;
  const latest = columns.task_return.at(-1);
  const steps = columns.steps.at(-1);
  button.append(
    make("i"),
    name,
    chip,
    result
      ? figure(`${short(result.mean)} ± ${short(+result.ci95.toPrecision(2))}`, "return, result", "")
      : figure(short(latest), "return", ""),
    figure(short(steps), update.total_steps ? `of ${short(update.total_steps)} steps` : "steps", "less"),
    figure(short(columns.queries.at(-1)), "queries", "less"),
  );
  if (update.note) {
    const note = make("span", "note", update.note);
    note.dataset.state = update.state;
    button.append(note);
  }
  if (update.state === "training" && update.total_steps) {
    const progress = make("span", "progress");
    progress.append(make("div"));
    progress.firstChild.style.width = `${Math.min(100, (100 * (steps ?? 0)) / update.total_steps)}%`;
    button.append(progress);
  }
  button.addEventListener("click", () => {
    run.shown = !run.shown;
    listRuns();
    drawCharts();
    $("runs").children[index].firstChild.focus();
  });
  const item = make("li");
  item.append(button);
  return item;
}

function ago(seconds) {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** Redraws the list only if something changed, so that the focus stays where it is. */
let listed = "";
function listRuns() {
  const now = JSON.stringify(runs.map(({ update, shown, columns }) => [update.state, update.note, update.silent > 15 && update.silent, update.result, update.label, shown, columns.steps.at(-1)]));
  if (now === listed) return;
  listed = now;
  const focused = [...$("runs").children].findIndex((item) => item.contains(document.activeElement));
  $("runs").replaceChildren(...runs.map(runItem));
  if (focused >= 0) $("runs").children[focused]?.firstChild.focus();
  const one = runs.length === 1 ? runs[0].update : null;
  $("title").textContent = one ? one.name : `${runs.length} runs`;
  document.title = `${one ? one.name : `${runs.length} runs`} · spo`;
}

// ---- updates

function applyUpdates(all) {
  const first = runs.length === 0;
  if (first) {
    const colour = (i) => `--run-${i % COLOURS}`;
    runs = all.map((update, i) => ({ update, variable: colour(i), columns: empty(), shown: true }));
  }
  updateColours();
  let changed = first;
  all.forEach((update, i) => {
    const run = runs[i];
    const result = JSON.stringify(run.update.result) !== JSON.stringify(update.result);
    run.update = update;
    changed ||= update.reset || update.rows.steps.length > 0 || result;
    if (update.reset) run.columns = empty();
    for (const [name, values] of Object.entries(update.rows)) run.columns[name].push(...values);
    while (run.columns.steps.length > POINTS) {
      const last = run.columns.steps.length - 1;
      for (const name of Object.keys(run.columns)) run.columns[name] = run.columns[name].filter((_, at) => (last - at) % 2 === 0);
    }
  });
  listRuns();
  if (changed) drawCharts();
  replays.update(runs);
}

const empty = () => ({ steps: [], queries: [], task_return: [], deviation: [], spread: [], entropy: [], kl: [], accuracy: [], cost: [], multiplier: [] });

/** Reads the runs' colours from the light or dark style. */
function updateColours() {
  const style = getComputedStyle(document.documentElement);
  runs.forEach((run) => (run.colour = style.getPropertyValue(run.variable).trim()));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  updateColours();
  listed = "";
  listRuns();
  drawCharts();
});

function showConnection(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

async function watch() {
  for (let wait = INTERVAL; ; ) {
    let more = false;
    if (!document.hidden || runs.length === 0) {
      try {
        const all = await ask(`api/updates?after=${runs.map((run) => run.update.cursor).join("~")}`);
        applyUpdates(all);
        more = all.some((update) => update.more);
        wait = INTERVAL;
        showConnection("live", "live");
      } catch (error) {
        if (error instanceof Refused && error.status < 500) return showConnection("lost", sentence(error.message));
        wait = Math.min(2 * wait, LONGEST_INTERVAL);
        showConnection("lost", "the server does not answer; trying again");
      }
    }
    if (!more) await sleep(wait);
  }
}

$("by-steps").addEventListener("click", () => setXAxis("steps"));
$("by-queries").addEventListener("click", () => setXAxis("queries"));

const KEYS = {
  " ": replays.toggle,
  s: replays.faster,
  q: () => setXAxis(xAxis === "steps" ? "queries" : "steps"),
  ArrowLeft: () => replays.seekBy(-0.02),
  ArrowRight: () => replays.seekBy(0.02),
};
document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
  // Space on a focused button presses that button.
  if (event.key === " " && target instanceof HTMLButtonElement) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

setXAxis(xAxis);
watch();
