// Curves on a canvas: axes, one line per run, bands, and the values under the pointer.

const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;
/** With more lines than this, bands would cover each other and are not drawn. */
const BANDS = 4;

/** A short number, such as "1.5M" for 1500000; a dash if there is no number. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const digits = () => {
    if (size >= 1e9) return `${+(size / 1e9).toPrecision(3)}B`;
    if (size >= 1e6) return `${+(size / 1e6).toPrecision(3)}M`;
    if (size >= 1e4) return `${+(size / 1e3).toPrecision(3)}k`;
    return size >= 1e-3 || size === 0 ? `${+size.toPrecision(4)}` : size.toExponential(1);
  };
  return `${value < 0 ? "−" : ""}${digits()}`;
}

/** About `count` round numbers from low to high. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((digit) => digit * power >= rough * 0.999);
  const all = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at++) all.push(+(at * step).toPrecision(12));
  return all;
}

/** The index of the first value that is not below `x`, in an ascending column. */
function firstIndex(column, x) {
  let [low, high] = [0, column.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Chart {
  /**
   * `lines()` returns what to draw: a list of `{ name, colour, x, y, band, level, mark }`. `x` and `y` are columns, `band`
   * is a column of half widths; `level` replaces `x` and `y` for a constant; `mark` is `{ y, half }` at the end.
   * `pointed(x)` is called with the x under the pointer, or `null` when the pointer leaves; `unit()` names the x axis.
   */
  constructor(canvas, tip, { lines, pointed, unit }) {
    Object.assign(this, { canvas, tip, lines, pointed, unit });
    this.x = null;
    this.inside = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerdown", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.leave());
  }

  point(event) {
    if (!this.range) return;
    const [low, high] = this.range.x;
    const share = (event.offsetX - LEFT) / (this.canvas.clientWidth - LEFT - RIGHT);
    this.inside = true;
    this.pointed(low + Math.min(Math.max(share, 0), 1) * (high - low));
  }

  leave() {
    this.inside = false;
    this.pointed(null);
  }

  /** The ranges of x and y of all lines. */
  measure(lines) {
    let [left, right, low, high] = [0, 0, Infinity, -Infinity];
    const span = (value) => {
      if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    };
    for (const { x, y, band, level, mark } of lines) {
      if (level !== undefined) span(level);
      if (mark) [mark.y - mark.half, mark.y + mark.half].forEach(span);
      for (let i = 0; i < (x?.length ?? 0); i++) {
        if (y[i] === null) continue;
        right = Math.max(right, x[i]);
        span(y[i] - (band?.[i] ?? 0));
        span(y[i] + (band?.[i] ?? 0));
      }
    }
    if (low > high) return null;
    const margin = (high - low) * 0.06 || Math.max(Math.abs(high) * 0.06, 1e-6);
    return { x: [left, right || 1], y: [low - margin, high + margin] };
  }

  draw() {
    const { canvas } = this;
    const pixels = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0) return;
    canvas.width = Math.round(width * pixels);
    canvas.height = Math.round(height * pixels);
    const pen = canvas.getContext("2d");
    pen.scale(pixels, pixels);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const lines = this.lines();
    this.banded = lines.filter((line) => line.x?.length > 0).length <= BANDS;
    if (!this.banded) lines.forEach((line) => delete line.band);
    this.range = this.measure(lines);
    this.tip.hidden = true;
    if (!this.range) return;
    const [[left, right], [low, high]] = [this.range.x, this.range.y];
    const across = (x) => LEFT + ((x - left) / (right - left)) * (width - LEFT - RIGHT);
    const up = (y) => height - BOTTOM - ((y - low) / (high - low)) * (height - TOP - BOTTOM);

    this.axes(pen, { across, up, width, height, colour });
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP - 4, width - LEFT - RIGHT + 6, height - TOP - BOTTOM + 6);
    pen.clip();
    // More points would not be visible.
    const most = 2 * width;
    for (const line of lines) this.band(pen, line, across, up, most);
    for (const line of lines) this.line(pen, line, across, up, most, width);
    if (this.x !== null) this.under(pen, lines, across, up, { width, height, colour });
    pen.restore();
  }

  axes(pen, { across, up, width, height, colour }) {
    pen.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    pen.fillStyle = colour("soft");
    pen.lineWidth = 1;
    pen.strokeStyle = colour("grid");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.beginPath();
    for (const y of ticks(...this.range.y, Math.max(3, height / 50))) {
      const at = Math.round(up(y)) + 0.5;
      pen.moveTo(LEFT, at);
      pen.lineTo(width - RIGHT, at);
      pen.fillText(short(y), LEFT - 8, at);
    }
    pen.stroke();
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    for (const x of ticks(...this.range.x, Math.max(2, Math.min(width / 80, 8)))) {
      const at = across(x);
      // Keep a label at the edge inside the canvas.
      pen.textAlign = at > width - 30 ? "right" : "center";
      pen.fillText(short(x), Math.min(at, width - 2), height - 6);
    }
  }

  band(pen, { x, y, band, colour }, across, up, most) {
    if (!band || !x?.length) return;
    const stride = Math.ceil(x.length / most);
    pen.beginPath();
    for (let i = 0; i < x.length; i += stride) pen.lineTo(across(x[i]), up(y[i] + band[i]));
    for (let i = x.length - 1; i >= 0; i -= stride) pen.lineTo(across(x[i]), up(y[i] - band[i]));
    pen.globalAlpha = 0.13;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
  }

  line(pen, { x, y, level, mark, colour }, across, up, most, width) {
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    if (level !== undefined) {
      pen.setLineDash([7, 5]);
      pen.beginPath();
      pen.moveTo(LEFT, up(level));
      pen.lineTo(width - RIGHT, up(level));
      pen.stroke();
      pen.setLineDash([]);
    }
    if (!x?.length) return;
    const stride = Math.ceil(x.length / most);
    pen.beginPath();
    let points = 0;
    let last = null;
    const to = (i) => {
      if (y[i] === null) return;
      last = i;
      points++;
      pen.lineTo(across(x[i]), up(y[i]));
    };
    for (let i = 0; i < x.length - 1; i += stride) to(i);
    to(x.length - 1);
    pen.stroke();
    // Draw a dot at the end, to show a line with one point and to mark where the line grows.
    if (last !== null) {
      pen.beginPath();
      pen.arc(across(x[last]), up(y[last]), points > 1 ? 2.5 : 3.5, 0, 2 * Math.PI);
      pen.fill();
    }
    if (!mark) return;
    const at = across(x.at(-1));
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(at, up(mark.y - mark.half));
    pen.lineTo(at, up(mark.y + mark.half));
    pen.moveTo(at - 5, up(mark.y));
    pen.lineTo(at + 5, up(mark.y));
    pen.stroke();
  }

  /** Draws a vertical line at the pointer and shows the values there. */
  under(pen, lines, across, up, { width, height, colour }) {
    const at = Math.round(across(this.x)) + 0.5;
    pen.strokeStyle = colour("soft");
    pen.lineWidth = 1;
    pen.globalAlpha = 0.6;
    pen.beginPath();
    pen.moveTo(at, TOP);
    pen.lineTo(at, height - BOTTOM);
    pen.stroke();
    pen.globalAlpha = 1;
    const found = [];
    for (const { name, x, y, level, colour } of lines) {
      if (level !== undefined) found.push({ name, colour, value: level });
      if (!x?.length || this.x > x.at(-1)) continue;
      const after = Math.min(firstIndex(x, this.x), x.length - 1);
      const i = after > 0 && this.x - x[after - 1] < x[after] - this.x ? after - 1 : after;
      if (y[i] === null) continue;
      found.push({ name, colour, value: y[i] });
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(across(x[i]), up(y[i]), 3.5, 0, 2 * Math.PI);
      pen.fill();
    }
    if (!this.inside || found.length === 0) return;
    const row = ({ name, colour, value }) => {
      const item = document.createElement("div");
      const swatch = document.createElement("i");
      swatch.style.background = colour;
      const number = document.createElement("b");
      number.textContent = short(value);
      item.replaceChildren(swatch, name, number);
      return item;
    };
    const head = document.createElement("small");
    head.textContent = `${short(Math.round(this.x))} ${this.unit()}`;
    this.tip.replaceChildren(head, ...found.map(row));
    this.tip.hidden = false;
    const right = at < width / 2;
    this.tip.style.left = right ? `${at + 12}px` : "auto";
    this.tip.style.right = right ? "auto" : `${width - at + 12}px`;
  }
}
