// Synchronised replays, drawn from lines and circles, and the time bar below them.

/** Number of parts of the time; a person must see all of them. */
const PARTS = 50;
/** Seconds that the last frame stays before the replay repeats. */
const HOLD = 0.8;
/** Longest time in seconds that one browser frame may advance the replay. */
const LONGEST_FRAME = 0.1;
const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
/** Longest duration of a replay in seconds, unless someone sets a speed. */
const LONGEST_REPLAY = 8;

export class Player {
  /** `changed` is called after every drawn frame, `looped` when the replay repeats. */
  constructor(canvases, changed, looped = () => {}) {
    this.canvases = [];
    this.changed = changed;
    this.looped = looped;
    this.rate = 1;
    this.sizes = new ResizeObserver(() => this.draw());
    this.clear();
    this.drawOn(canvases);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    cancelAnimationFrame(this.frame);
    this.picture = null;
    this.playing = false;
    this.time = 0;
    this.seen = new Set();
  }

  /** Sets the canvases, one per trajectory. */
  drawOn(canvases) {
    this.sizes.disconnect();
    this.canvases = canvases;
    if (canvases.length > 0) this.sizes.observe(canvases[0]);
  }

  load(picture, canvases = this.canvases) {
    this.clear();
    this.drawOn(canvases);
    this.picture = picture;
    const frames = Math.max(...picture.sides.map((side) => side.frames));
    this.duration = (frames - 1) * picture.period;
    this.draw();
  }

  /** Whether every part of the replay has been on the screen. */
  get watched() {
    return this.picture !== null && (this.duration === 0 || this.seen.size === PARTS + 1);
  }

  play() {
    if (!this.picture || this.playing) return;
    if (this.duration === 0) return this.draw();
    if (this.time >= this.duration) this.time = 0;
    this.playing = true;
    let last = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      const before = this.time;
      // A hidden page pauses the replay. A frame's time can be earlier than the call that requested the frame.
      const passed = Math.min(Math.max(now - last, 0) / 1000, LONGEST_FRAME);
      this.time += passed * this.rate;
      last = now;
      this.see(before, this.time);
      if (this.time > this.duration + HOLD * this.rate) {
        this.time = 0;
        this.looped();
      }
      this.draw();
      this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
    this.draw();
  }

  pause() {
    this.playing = false;
    this.time = Math.min(this.time, this.duration || 0);
    cancelAnimationFrame(this.frame);
    this.draw();
  }

  /** Moves to a share of the duration, from 0 to 1. */
  seek(share) {
    this.pause();
    this.time = share * this.duration;
    this.see(this.time, this.time);
    this.draw();
  }

  see(from, to) {
    const part = (time) => Math.floor((Math.min(time, this.duration) / this.duration) * PARTS);
    for (let at = part(from); at <= part(to); at++) this.seen.add(at);
  }

  /** Seconds of the task, or steps if it has no physical time. */
  get moment() {
    const frames = Math.min(this.time, this.duration) / this.picture.period;
    return this.picture.seconds > 0 ? frames * this.picture.seconds : Math.round(frames);
  }

  /** Whether a replay has ended. */
  ended(index) {
    return this.time / this.picture.period > this.picture.sides[index].frames - 1 + 1e-6;
  }

  draw() {
    if (!this.picture) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const [width, height] = this.picture.size;
    this.canvases.forEach((canvas, index) => {
      canvas.style.aspectRatio = `${width} / ${height}`;
      const pixels = window.devicePixelRatio || 1;
      canvas.width = Math.round(canvas.clientWidth * pixels);
      canvas.height = Math.round(canvas.clientHeight * pixels);
      const scale = Math.min(canvas.width / width, canvas.height / height);
      const pen = canvas.getContext("2d");
      pen.fillStyle = colour("card");
      pen.fillRect(0, 0, canvas.width, canvas.height);
      // Centre the picture if the canvas has another shape.
      const [left, top] = [(canvas.width / scale - width) / 2, (canvas.height / scale - height) / 2];
      pen.scale(scale, scale);
      pen.translate(left, top);
      this.side(pen, this.picture.sides[index], colour, [-left, -top, width + left, height + top]);
    });
    this.changed();
  }

  side(pen, side, colour, [left, top, right, bottom]) {
    const at = Math.min(this.time / this.picture.period, side.frames - 1);
    const [x, y] = between(side.camera, at);
    pen.translate(x, y);
    pen.lineCap = "round";
    pen.lineWidth = 1;
    pen.strokeStyle = colour("grid");
    pen.beginPath();
    const { square } = this.picture;
    for (let line = Math.ceil((left - x) / square) * square; line < right - x; line += square) {
      pen.moveTo(line, top - y);
      pen.lineTo(line, bottom - y);
    }
    for (let line = Math.ceil((top - y) / square) * square; line < bottom - y; line += square) {
      pen.moveTo(left - x, line);
      pen.lineTo(right - x, line);
    }
    pen.stroke();
    this.trail(pen, side, at, colour);
    for (const actor of side.actors) {
      const shape = between(actor.shapes, at);
      if (!shape) continue;
      pen.globalAlpha = actor.role === "figure" ? 0.85 : 1;
      pen.beginPath();
      if (shape.length === 5) {
        pen.strokeStyle = colour(actor.role === "figure" ? "figure" : "scenery");
        pen.lineWidth = shape[4];
        pen.moveTo(shape[0], shape[1]);
        pen.lineTo(shape[2], shape[3]);
        pen.stroke();
      } else {
        pen.arc(shape[0], shape[1], shape[2], 0, 2 * Math.PI);
        pen.fillStyle = colour(actor.role === "figure" ? "figure" : "mark-inside");
        pen.fill();
        if (actor.role !== "figure") {
          pen.strokeStyle = colour("mark");
          pen.lineWidth = 1.5;
          pen.stroke();
        }
      }
    }
    pen.globalAlpha = 1;
  }

  /** Draws the path of a figure that is a single circle; otherwise its motion would be hard to see. */
  trail(pen, side, at, colour) {
    const figures = side.actors.filter((actor) => actor.role === "figure");
    if (figures.length !== 1 || !figures[0].shapes.every((shape) => shape?.length === 3)) return;
    pen.globalAlpha = 0.35;
    pen.strokeStyle = colour("figure");
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.beginPath();
    figures[0].shapes.slice(0, Math.floor(at) + 1).forEach(([x, y]) => pen.lineTo(x, y));
    pen.lineTo(...between(figures[0].shapes, at).slice(0, 2));
    pen.stroke();
    pen.globalAlpha = 1;
  }
}

/** The controls below the replays: `#play`, `#time`, `#clock` and `#speed`. */
export class Transport {
  constructor(player) {
    this.player = player;
    this.speed = Number(localStorage.getItem("speed")) || null;
    const [play, time, clock, speed] = ["play", "time", "clock", "speed"].map((id) => document.getElementById(id));
    this.parts = { play, time, clock, speed };
    play.addEventListener("click", () => this.toggle());
    time.addEventListener("input", () => player.picture && player.seek(time.value / 1000));
    // The page uses the arrow keys.
    time.addEventListener("change", () => time.blur());
    speed.addEventListener("click", () => this.faster());
  }

  /** Plays the loaded picture at the chosen speed, or at one that keeps the replay short. */
  begin() {
    const { player } = this;
    const comfortable = SPEEDS.find((rate) => rate >= 1 && player.duration / rate <= LONGEST_REPLAY) ?? SPEEDS.at(-1);
    player.rate = this.speed ?? comfortable;
    this.parts.speed.textContent = `${player.rate}×`;
    player.play();
  }

  /** Updates the controls after every drawn frame. */
  moved() {
    const { player, parts } = this;
    const share = player.duration ? Math.min(player.time / player.duration, 1) : 1;
    parts.time.value = Math.round(share * 1000);
    parts.clock.textContent = player.picture.seconds > 0 ? `${player.moment.toFixed(1)} s` : `step ${player.moment}`;
    parts.play.classList.toggle("playing", player.playing);
    parts.play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
  }

  toggle() {
    this.player.playing ? this.player.pause() : this.player.play();
  }

  faster() {
    this.speed = SPEEDS[(SPEEDS.indexOf(this.player.rate) + 1) % SPEEDS.length];
    this.player.rate = this.speed;
    localStorage.setItem("speed", this.speed);
    this.parts.speed.textContent = `${this.speed}×`;
  }
}

/** Interpolates between two frames; a shape that appears or disappears is not interpolated. */
function between(values, at) {
  if (values.length === 1) return values[0];
  const [from, to] = [values[Math.floor(at)], values[Math.ceil(at)]];
  if (!from || !to || from.length !== to.length) return from;
  const share = at - Math.floor(at);
  return from.map((value, i) => value + share * (to[i] - value));
}
