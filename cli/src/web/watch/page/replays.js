// Replays of a run's latest trajectories side by side, with their scores, and updates when newer ones arrive.

import { ask, Refused } from "./ask.js";
import { short } from "./chart.js";
import { $, make, sentence } from "./dom.js";
import { Player, Transport } from "./player.js";

let runs = [];
/** The selected run, and the version of its replay that is shown or was refused. */
let selected = null;
let shown = null;
let fetching = false;
let cards = [];
const player = new Player([], moved, () => fetchLatest());
const transport = new Transport(player);

function moved() {
  transport.moved();
  cards.forEach(({ frame, end, task_return }, i) => {
    const ended = player.ended(i);
    frame.classList.toggle("ended", ended);
    end.textContent = `${ended ? "ended · " : ""}return ${short(task_return)}`;
  });
}

/** A trajectory's score as text, which depends on the scorer. */
function scoreText(scorer, score) {
  if (scorer === "self_play") return `wins ${Math.round(100 * score)} %`;
  return `${scorer === "reward_model" ? "predicted reward" : "score"} ${short(score)}`;
}

/** Makes the canvas and caption of a trajectory. */
function card(scorer, perState) {
  return ({ rank, score, task_return }) => {
    const [frame, canvas, caption] = [make("figure"), make("canvas"), make("figcaption")];
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Trajectory ${rank} of ${perState}`);
    const end = make("span", "end");
    const text = scorer === "task_reward" ? `no. ${rank}` : scoreText(scorer, score);
    caption.append(make("span", "score", text), end);
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

function show({ iteration, per_state: perState, trajectories, picture }) {
  const { scorer, opponents } = selected.update;
  cards = trajectories.map(card(scorer, perState));
  // Wide pictures need more room.
  const [width, height] = picture.size;
  const most = width > 1.8 * height ? 3 : 4;
  $("trajectories").style.setProperty("--columns", Math.min(Math.max(cards.length, 2), most));
  $("trajectories").replaceChildren(...cards.map((c) => c.frame));
  const all = perState === 1 ? "One trajectory" : `${perState} trajectories from one state`;
  const some = cards.length < perState ? `${cards.length} of ${perState} trajectories` : all;
  const order = perState === 1 ? "" : ", best to worst";
  const opponent = scorer === "self_play" ? ` · compared with ${opponentText(opponents)}` : "";
  $("which").textContent = `Iteration ${iteration} · ${some}${order}${opponent} · ${picture.scale}`;
  document.body.dataset.iteration = iteration;
  document.querySelector(".transport").hidden = false;
  player.load(picture, cards.map((c) => c.canvas));
  transport.begin();
}

function opponentText(opponents) {
  const [kind, count] = opponents.split("=");
  return { group: "each other", sampled: `${count} of the others, drawn at random`, queue: `the last ${count}` }[kind] ?? opponents;
}

function hide(why) {
  player.clear();
  cards = [];
  $("trajectories").replaceChildren();
  $("which").textContent = why;
  document.querySelector(".transport").hidden = true;
  delete document.body.dataset.iteration;
}

/** Fetches the latest replay, unless it is already shown. */
async function fetchLatest() {
  const run = selected;
  const wanted = run?.update.replay ?? null;
  if (!run || fetching || wanted === shown) return;
  fetching = true;
  try {
    const replay = await ask(`api/replay?run=${runs.indexOf(run)}`);
    if (run === selected) show(replay);
  } catch (error) {
    // No answer: the next call tries again.
    if (!(error instanceof Refused)) return;
    if (run === selected) hide(sentence(error.message));
  } finally {
    fetching = false;
  }
  if (run === selected) shown = wanted;
  checkForNewer();
}

/** While a replay plays, the latest one replaces it at the end. A paused replay stays until someone presses the button. */
function checkForNewer() {
  const wanted = selected?.update.replay ?? null;
  const waits = wanted !== null && wanted !== shown && player.picture !== null && !player.playing;
  $("newer").hidden = !waits;
  $("newer").textContent = "Show the latest";
  if (wanted === null) {
    if (shown !== null || cards.length === 0) hide("No trajectories yet. A training run saves its latest ones about once a second.");
    shown = null;
  } else if (player.picture === null || player.duration === 0) {
    fetchLatest();
  }
}

/** Updates the selected run. Without a choice, it is a training run with replays, or else the first run with replays. */
export function update(all) {
  runs = all;
  const able = runs.filter((run) => run.update.replay);
  const old = selected;
  selected ??= able.find((run) => run.update.state === "training") ?? able[0] ?? null;
  $("whose").hidden = runs.length < 2 || !selected;
  if ($("whose").children.length !== runs.length) {
    $("whose").replaceChildren(...runs.map((run, i) => new Option(run.update.name, i)));
  }
  if (selected && selected !== old) $("whose").value = runs.indexOf(selected);
  checkForNewer();
}

$("whose").addEventListener("change", () => {
  selected = runs[$("whose").value];
  shown = null;
  hide("");
  checkForNewer();
});
$("newer").addEventListener("click", () => {
  $("newer").hidden = true;
  fetchLatest();
});

export function toggle() {
  if (player.picture) transport.toggle();
}

export function faster() {
  if (player.picture) transport.faster();
}

/** Moves the replay by a share of its duration. */
export function seekBy(by) {
  if (player.picture) player.seek(Math.min(Math.max(player.time / (player.duration || 1) + by, 0), 1));
}
