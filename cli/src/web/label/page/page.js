// The label page: asks for a name, then shows pairs one after the other.

import { Player, Transport } from "./player.js";
import * as server from "./server.js";

/** Milliseconds between two requests for a pair, and between two updates of the progress. */
const PAIR_INTERVAL = 400;
const PROGRESS_INTERVAL = 2500;

const $ = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-answer]")];
const captions = [...document.querySelectorAll("figcaption .end")];
const player = new Player([$("left"), $("right")], moved);
const transport = new Transport(player);

let name = localStorage.getItem("name") ?? "";
let task = null;
let busy = false;
let progress = null;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function say(text, wrong = false) {
  $("message").textContent = text;
  $("message").classList.toggle("wrong", wrong);
}

/** Retries until the server answers or refuses. The server may be down for a while, and no answer may be lost. */
async function retry(work) {
  for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof server.Refused && error.status < 500) throw error;
      say(error instanceof server.Refused ? error.message : "The server does not answer. Trying again. Your answers are safe.", true);
      await sleep(wait);
    }
  }
}

// After every drawn frame: updates the time bar, the captions and the answer buttons.
function moved() {
  transport.moved();
  captions.forEach((caption, i) => (caption.textContent = player.ended(i) ? "ended" : player.picture.scale));
  const ready = player.watched && !busy;
  if (task && ready && buttons[0].disabled) say("");
  buttons.forEach((button) => (button.disabled = !ready));
  document.body.dataset.watched = player.watched;
}

function show(found) {
  task = found;
  document.body.dataset.pair = found ? found.pair : "";
  $("work").hidden = !found;
  $("rest").hidden = !!found;
  document.querySelectorAll("figure").forEach((figure) => figure.classList.remove("chosen"));
  if (!found) return player.clear();
  const [width, height] = found.picture.size;
  $("pair").classList.toggle("wide", width > 1.4 * height);
  player.load(found.picture);
  say("Watch both to the end, then choose.");
  transport.begin();
  moved();
}

/** Shows the next pair as soon as there is one. */
async function advance() {
  for (;;) {
    let found;
    try {
      found = await retry(() => server.next(name));
    } catch (error) {
      return refused(error);
    }
    if (found) return show(found);
    if (task || $("rest").hidden) {
      show(null);
      say("");
    }
    explain();
    await sleep(PAIR_INTERVAL);
  }
}

/** Explains why there is no pair. */
function explain() {
  const reasons = {
    training: "The policy is learning from your answers. The next pairs will appear automatically.",
    waiting: "Other people are looking at the remaining pairs of this round. You will get them if they stay unanswered.",
    finished: "The run has finished. Thank you.",
  };
  const state = progress?.trainer ?? "training";
  $("rest").classList.toggle("still", state === "finished" || state === "stopped");
  const reason = $("reason");
  if (state !== "stopped") return void (reason.textContent = reasons[state]);
  const command = document.createElement("code");
  command.textContent = `spo train --resume RUN`;
  reason.replaceChildren("The trainer is not running. All answers are saved. Continue with ", command, ".");
}

function refused(error) {
  busy = false;
  if (error.status === 401 || error.status === 421) {
    show(null);
    $("rest").classList.add("still");
    $("reason").textContent = error.message[0].toUpperCase() + error.message.slice(1) + ".";
    return;
  }
  say(error.message, true);
  if (error.status === 400) askName(error.message);
}

async function choose(answer) {
  if (!task || busy || !player.watched) return;
  busy = true;
  const { pair } = task;
  const side = { left: 0, right: 1 }[answer];
  if (side !== undefined) document.querySelectorAll("figure")[side].classList.add("chosen");
  buttons.forEach((button) => (button.disabled = true));
  try {
    await retry(() => server.answer(name, pair, answer));
  } catch (error) {
    // The pair is no longer ours; continue with the next one.
    say(error.message, true);
  }
  busy = false;
  updateProgress();
  await advance();
}

async function undo() {
  if (busy || !name) return;
  busy = true;
  try {
    await retry(() => server.undo(name));
    busy = false;
    updateProgress();
    if (task) await advance();
  } catch (error) {
    say(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`, true);
  }
  busy = false;
}

async function updateProgress() {
  let all;
  try {
    all = await server.state(name);
  } catch {
    return;
  }
  progress = all.progress;
  const p = all.progress;
  $("run").textContent = `${all.env} · ${all.run}`;
  $("question").textContent = all.question || "Which of the two is better?";
  $("about").textContent = all.about ? `${all.about}` : "";
  $("trainer").hidden = false;
  $("trainer").dataset.state = p.trainer;
  $("trainer").textContent = { waiting: "waiting for you", training: "training", finished: "finished", stopped: "trainer stopped" }[p.trainer];
  $("round").replaceChildren(`${p.round_done} / ${p.round_pairs} `, small(p.round ? `no. ${p.round}` : ""));
  $("done").style.width = `${p.round_pairs ? (100 * p.round_done) / p.round_pairs : 0}%`;
  $("mine").textContent = p.mine;
  $("left-over").textContent = p.left ?? "no limit";
  const agreement = p.agreement;
  $("agreement").replaceChildren(
    agreement ? `${Math.round((100 * agreement.same) / agreement.compared)} % ` : "–",
    small(agreement ? `of ${agreement.compared}` : ""),
  );
  $("people").replaceChildren(...p.annotators.map(person));
  $("undo").disabled = p.mine === 0;
  if (!task) explain();
}

function small(text) {
  const element = document.createElement("small");
  element.textContent = text;
  return element;
}

function person({ name: who, labels, active }) {
  const item = document.createElement("li");
  item.classList.toggle("active", active);
  const count = document.createElement("span");
  count.textContent = labels;
  item.replaceChildren(who === name ? `${who} (you)` : who, count);
  return item;
}

function askName(wrong = "") {
  $("name").value = name;
  $("wrong").textContent = wrong;
  if (!$("hello").open) $("hello").showModal();
  $("name").select();
}

function begin() {
  $("who").textContent = name;
  $("who").hidden = false;
  updateProgress();
  advance();
}

$("hello").addEventListener("cancel", (event) => {
  if (!name) event.preventDefault();
});
$("hello").querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = $("name").value.trim();
  try {
    await server.state(wanted);
  } catch (error) {
    return askName(error.message);
  }
  localStorage.setItem("name", wanted);
  // Reload to stop all requests under the old name.
  if (name && name !== wanted) return location.reload();
  name = wanted;
  $("hello").close();
  begin();
});
$("who").addEventListener("click", () => askName());
$("undo").addEventListener("click", undo);
buttons.forEach((button) => button.addEventListener("click", () => choose(button.dataset.answer)));

const KEYS = {
  ArrowLeft: () => choose("left"),
  1: () => choose("left"),
  ArrowRight: () => choose("right"),
  2: () => choose("right"),
  t: () => choose("tie"),
  c: () => choose("cant_tell"),
  " ": () => transport.toggle(),
  s: () => transport.faster(),
  z: undo,
};
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement && event.target.type !== "range";
  if ($("hello").open || typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  // Otherwise space would also press the focused button.
  document.activeElement?.blur?.();
  act();
});

setInterval(() => document.hidden || !name || updateProgress(), PROGRESS_INTERVAL);
updateProgress();
name ? begin() : askName();
