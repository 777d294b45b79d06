// The page: what is new of every run once a second, as curves and replays.

import { ask, Refused } from "./ask.js";
import { Chart, short } from "./chart.js";
import { $, make, sentence } from "./dom.js";
import * as replays from "./replays.js";

/** Milliseconds between two looks, and the longest after answers failed to come. */
const LOOK = 1000;
const LONGEST = 8000;
/** Points that a run keeps; beyond, every other goes. */
const POINTS = 8000;
/** Colours; from there on they repeat. */
const COLOURS = 7;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** What is known of each run: the newest answer, its columns so far, whether it is shown. */
let runs = [];
let along = localStorage.getItem("along") === "queries" ? "queries" : "steps";

// ---- curves

const FIGURES = [
  { title: "Task return", column: "task_return", band: "deviation", main: true, note: "band: one standard deviation" },
  { title: "Cost", column: "cost" },
  { title: "Multiplier", column: "multiplier" },
  { title: "Win-rate spread", column: "spread", of: (run) => run.news.scorer === "self_play" },
  { title: "Reward accuracy", column: "accuracy", of: (run) => run.columns.accuracy.some((a) => a !== null) },
  { title: "Entropy (nats)", column: "entropy" },
  { title: "KL (old, new)", column: "kl" },
  { title: "Queries", column: "queries", other: true },
];

/** Whether a run has such a figure: what its learner or scorer has not is zeros. */
function has(run, { column, of }) {
  return run.columns.steps.length > 0 && (of ? of(run) : run.columns[column].some((value) => value));
}

const asks = (run) => run.columns.queries.at(-1) > 0;

function lines(figure) {
  // Along queries, the other axis is of interest.
  const column = figure.other && along === "queries" ? "steps" : figure.column;
  const line = (run) => {
    const { colour, columns, news } = run;
    const own = { name: news.name, colour };
    // Who asks nobody is a level to be reached.
    if (along === "queries" && !asks(run)) return figure.main ? { ...own, level: columns.task_return.at(-1) } : own;
    own.x = columns[along];
    own.y = columns[column];
    if (figure.band) own.band = columns[figure.band];
    if (figure.main && news.result) own.mark = { y: news.result.mean, half: news.result.ci95 };
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
  const chart = new Chart(canvas, tip, { lines: () => lines(figure), pointed, unit: () => along });
  return Object.assign(chart, { figure, frame, title: caption.firstChild, note: caption.lastChild });
});

function curves() {
  const begun = runs.some((run) => run.columns.steps.length > 0);
  $("none").hidden = begun;
  for (const chart of charts) {
    const { figure, frame, canvas } = chart;
    frame.hidden = !runs.some((run) => has(run, figure));
    if (figure.other) chart.title.textContent = along === "queries" ? "Environment steps" : "Queries";
    canvas.setAttribute("aria-label", `${chart.title.textContent} against ${along}`);
    if (!frame.hidden) chart.draw();
    chart.note.hidden = !chart.banded;
  }
  const small = charts.filter(({ figure, frame }) => !figure.main && !frame.hidden).length;
  $("charts").style.setProperty("--small", Math.max(small, 1));
  const points = runs.reduce((sum, run) => sum + run.columns.steps.length, 0);
  document.body.dataset.points = points;
}

function turn(to) {
  along = to;
  localStorage.setItem("along", to);
  $("by-steps").setAttribute("aria-pressed", to === "steps");
  $("by-queries").setAttribute("aria-pressed", to === "queries");
  curves();
}

// ---- the list of runs

const WORDS = {
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

function row(run, index) {
  const { news, columns } = run;
  const button = make("button", "run");
  button.style.setProperty("--own", run.colour);
  button.setAttribute("aria-pressed", run.shown);
  button.title = run.shown ? "Hide its curves" : "Show its curves";
  const name = make("span", "name", news.name);
  name.append(make("small", "", news.label));
  const chip = make("span", "chip", WORDS[news.is]);
  chip.dataset.is = news.is;
  if (news.is === "training" && news.silent > 15) chip.append(` · last row ${ago(news.silent)} ago`);
  const { result } = news;
  const latest = columns.task_return.at(-1);
  const steps = columns.steps.at(-1);
  button.append(
    make("i"),
    name,
    chip,
    result
      ? figure(`${short(result.mean)} ± ${short(+result.ci95.toPrecision(2))}`, "return, result", "")
      : figure(short(latest), "return", ""),
    figure(short(steps), news.total_steps ? `of ${short(news.total_steps)} steps` : "steps", "less"),
    figure(short(columns.queries.at(-1)), "queries", "less"),
  );
  if (news.note) {
    const note = make("span", "note", news.note);
    note.dataset.is = news.is;
    button.append(note);
  }
  if (news.is === "training" && news.total_steps) {
    const way = make("span", "way");
    way.append(make("div"));
    way.firstChild.style.width = `${Math.min(100, (100 * (steps ?? 0)) / news.total_steps)}%`;
    button.append(way);
  }
  button.addEventListener("click", () => {
    run.shown = !run.shown;
    list();
    curves();
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

/** Anew only where something changed: whoever has the focus there keeps it. */
let listed = "";
function list() {
  const now = JSON.stringify(runs.map(({ news, shown, columns }) => [news.is, news.note, news.silent > 15 && news.silent, news.result, news.label, shown, columns.steps.at(-1)]));
  if (now === listed) return;
  listed = now;
  const focused = [...$("runs").children].findIndex((item) => item.contains(document.activeElement));
  $("runs").replaceChildren(...runs.map(row));
  if (focused >= 0) $("runs").children[focused]?.firstChild.focus();
  const one = runs.length === 1 ? runs[0].news : null;
  $("title").textContent = one ? one.name : `${runs.length} runs`;
  document.title = `${one ? one.name : `${runs.length} runs`} · spo`;
}

// ---- what is new

function takeIn(all) {
  const first = runs.length === 0;
  if (first) {
    const colour = (i) => `--run-${i % COLOURS}`;
    runs = all.map((news, i) => ({ news, variable: colour(i), columns: empty(), shown: true }));
  }
  paint();
  let changed = first;
  all.forEach((news, i) => {
    const run = runs[i];
    const result = JSON.stringify(run.news.result) !== JSON.stringify(news.result);
    run.news = news;
    changed ||= news.anew || news.rows.steps.length > 0 || result;
    if (news.anew) run.columns = empty();
    for (const [name, values] of Object.entries(news.rows)) run.columns[name].push(...values);
    while (run.columns.steps.length > POINTS) {
      const last = run.columns.steps.length - 1;
      for (const name of Object.keys(run.columns)) run.columns[name] = run.columns[name].filter((_, at) => (last - at) % 2 === 0);
    }
  });
  list();
  if (changed) curves();
  replays.choose(runs);
}

const empty = () => ({ steps: [], queries: [], task_return: [], deviation: [], spread: [], entropy: [], kl: [], accuracy: [], cost: [], multiplier: [] });

/** By day or by night. */
function paint() {
  const style = getComputedStyle(document.documentElement);
  runs.forEach((run) => (run.colour = style.getPropertyValue(run.variable).trim()));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  paint();
  listed = "";
  list();
  curves();
});

function link(is, words) {
  $("link").dataset.is = is;
  $("link").textContent = words;
}

async function watch() {
  for (let wait = LOOK; ; ) {
    let more = false;
    if (!document.hidden || runs.length === 0) {
      try {
        const all = await ask(`api/news?after=${runs.map((run) => run.news.cursor).join("~")}`);
        takeIn(all);
        more = all.some((news) => news.more);
        wait = LOOK;
        link("live", "live");
      } catch (error) {
        if (error instanceof Refused && error.status < 500) return link("lost", sentence(error.message));
        wait = Math.min(2 * wait, LONGEST);
        link("lost", "no answer; trying again");
      }
    }
    if (!more) await sleep(wait);
  }
}

$("by-steps").addEventListener("click", () => turn("steps"));
$("by-queries").addEventListener("click", () => turn("queries"));

const KEYS = {
  " ": replays.toggle,
  s: replays.faster,
  q: () => turn(along === "steps" ? "queries" : "steps"),
  ArrowLeft: () => replays.wind(-0.02),
  ArrowRight: () => replays.wind(0.02),
};
document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
  // Space on a focused button presses that.
  if (event.key === " " && target instanceof HTMLButtonElement) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

turn(along);
watch();
