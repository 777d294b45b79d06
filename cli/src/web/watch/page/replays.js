// The newest trajectories of a run, side by side: how they play, what they were worth, and when newer ones come.

import { ask, Refused } from "./ask.js";
import { short } from "./chart.js";
import { $, make, sentence } from "./dom.js";
import { Player, Transport } from "./player.js";

let runs = [];
/** Of which run, and which of its replays is shown or was refused. */
let whose = null;
let shown = null;
let fetching = false;
let takes = [];
const player = new Player([], moved, () => look());
const transport = new Transport(player);

function moved() {
  transport.moved();
  takes.forEach(({ frame, end, task_return }, i) => {
    const ended = player.ended(i);
    frame.classList.toggle("ended", ended);
    end.textContent = `${ended ? "ended · " : ""}return ${short(task_return)}`;
  });
}

/** The worth of a trajectory in words, by what the scorer is. */
function worth(scorer, score) {
  if (scorer === "self_play") return `wins ${Math.round(100 * score)} %`;
  return `${scorer === "reward_model" ? "predicted reward" : "score"} ${short(score)}`;
}

function take(scorer, of) {
  return ({ rank, score, task_return }) => {
    const [frame, canvas, caption] = [make("figure"), make("canvas"), make("figcaption")];
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Trajectory ${rank} of ${of}`);
    const end = make("span", "end");
    const told = scorer === "task_reward" ? `no. ${rank}` : worth(scorer, score);
    caption.append(make("span", "worth", told), end);
    frame.append(canvas);
    if (scorer === "self_play") {
      const share = make("div", "share");
      share.append(make("div"));
      share.firstChild.style.width = `${100 * score}%`;
      frame.dataset.wins = score;
      frame.append(share);
    }
    frame.append(caption);
    return { frame, canvas, end, task_return };
  };
}

function show({ iteration, of, takes: all, picture }) {
  const { scorer, opponents } = whose.news;
  takes = all.map(take(scorer, of));
  // Wide pictures want room.
  const [width, height] = picture.size;
  const most = width > 1.8 * height ? 3 : 4;
  $("takes").style.setProperty("--columns", Math.min(Math.max(all.length, 2), most));
  $("takes").replaceChildren(...takes.map((t) => t.frame));
  const some = all.length < of ? `${all.length} of ${of} trajectories` : of === 1 ? "One trajectory" : `${of} trajectories of one state`;
  const order = of === 1 ? "" : ", best to worst";
  const met = scorer === "self_play" ? ` · compared with ${metBy(opponents)}` : "";
  $("which").textContent = `Iteration ${iteration} · ${some}${order}${met} · ${picture.scale}`;
  document.body.dataset.iteration = iteration;
  document.querySelector(".transport").hidden = false;
  player.load(picture, takes.map((t) => t.canvas));
  transport.begin();
}

function metBy(opponents) {
  const [kind, count] = opponents.split("=");
  return { group: "each other", sampled: `${count} of the others, drawn`, queue: `the last ${count}` }[kind] ?? opponents;
}

function hide(why) {
  player.clear();
  takes = [];
  $("takes").replaceChildren();
  $("which").textContent = why;
  document.querySelector(".transport").hidden = true;
  delete document.body.dataset.iteration;
}

/** Fetches the newest replay, if it is not the one that is shown. */
async function look() {
  const run = whose;
  const wanted = run?.news.replay ?? null;
  if (!run || fetching || wanted === shown) return;
  fetching = true;
  try {
    const replay = await ask(`api/replay?run=${runs.indexOf(run)}`);
    if (run === whose) show(replay);
  } catch (error) {
    // No answer: the next look tries again.
    if (!(error instanceof Refused)) return;
    if (run === whose) hide(sentence(error.message));
  } finally {
    fetching = false;
  }
  if (run === whose) shown = wanted;
  newer();
}

/** While it plays, the newest comes when it begins anew; one that stands still is left alone until somebody asks. */
function newer() {
  const wanted = whose?.news.replay ?? null;
  const waits = wanted !== null && wanted !== shown && player.picture !== null && !player.playing;
  $("newer").hidden = !waits;
  $("newer").textContent = "Show the newest";
  if (wanted === null) {
    if (shown !== null || takes.length === 0) hide("No trajectories yet. A training run leaves its newest ones about once a second.");
    shown = null;
  } else if (player.picture === null || player.duration === 0) {
    look();
  }
}

/** Whose replays: those of the run that was chosen, else of the first that has any, a training one before the others. */
export function choose(all) {
  runs = all;
  const able = runs.filter((run) => run.news.replay);
  const old = whose;
  whose ??= able.find((run) => run.news.is === "training") ?? able[0] ?? null;
  $("whose").hidden = runs.length < 2 || !whose;
  if ($("whose").children.length !== runs.length) {
    $("whose").replaceChildren(...runs.map((run, i) => new Option(run.news.name, i)));
  }
  if (whose && whose !== old) $("whose").value = runs.indexOf(whose);
  newer();
}

$("whose").addEventListener("change", () => {
  whose = runs[$("whose").value];
  shown = null;
  hide("");
  newer();
});
$("newer").addEventListener("click", () => {
  $("newer").hidden = true;
  look();
});

export function toggle() {
  if (player.picture) transport.toggle();
}

export function faster() {
  if (player.picture) transport.faster();
}

/** By a share of the whole. */
export function wind(by) {
  if (player.picture) player.seek(Math.min(Math.max(player.time / (player.duration || 1) + by, 0), 1));
}
