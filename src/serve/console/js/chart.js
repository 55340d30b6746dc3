// A small line chart over time on a canvas: areas and lines, faults as shaded spans, a reading under the pointer.

import { SPAN_MS } from "./history.js";

const PAD = { left: 30, right: 10, top: 18, bottom: 18 };

export class Chart {
  /** `series`: `{key, label, tone, dash?, fill?}`; `tone` names a colour token. */
  constructor(canvas, readout) {
    Object.assign(this, { canvas, readout, context: canvas.getContext("2d"), ceiling: 0, hover: null, colours: null });
    new ResizeObserver(() => this.resize()).observe(canvas);
    document.addEventListener("themechange", () => this.repaint());
    canvas.addEventListener("pointermove", (event) => this.point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.point(null));
  }

  draw(samples, series, spans, now) {
    this.last = [samples, series, spans, now];
    const { context: c, width, height } = this;
    if (!width) return;
    const ink = (this.colours ??= colours(this.canvas));
    const [left, right, top, bottom] = [PAD.left, width - PAD.right, PAD.top, height - PAD.bottom];
    const x = (t) => right - ((now - t) / SPAN_MS) * (right - left);
    this.scale(Math.max(1, ...samples.flatMap((s) => series.map((line) => s[line.key] ?? 0))));
    const y = (v) => bottom - (v / this.ceiling) * (bottom - top);
    c.clearRect(0, 0, width, height);
    c.font = `10.5px ${ink.font}`;

    this.drawGrid(ink, { left, right, bottom, y });
    c.save();
    c.beginPath();
    c.rect(left, 0, right - left, bottom + 1);
    c.clip();
    this.drawSpans(ink, spans, { x, top, bottom, left, right, now });
    for (const line of series) this.drawLine(ink, line, samples, { x, y, bottom });
    c.restore();
    if (this.hover !== null) this.drawHover(ink, samples, series, { x, y, top, bottom });
  }

  /** The axis ends at a round number and shrinks only when far too high, so that it does not jump about. */
  scale(max) {
    const nice = niceCeiling(max * 1.08);
    if (nice > this.ceiling || nice < this.ceiling * 0.45) this.ceiling = nice;
  }

  drawGrid(ink, { left, right, bottom, y }) {
    const c = this.context;
    c.strokeStyle = ink.rule;
    c.fillStyle = ink.faint;
    c.lineWidth = 1;
    c.textBaseline = "middle";
    c.textAlign = "right";
    for (const part of [0, 0.5, 1]) {
      const at = Math.round(y(this.ceiling * part)) + 0.5;
      line(c, left, at, right, at);
      c.fillText(label(this.ceiling * part), left - 6, at);
    }
    c.textBaseline = "top";
    for (const minutes of [3, 2, 1, 0]) {
      const at = right - ((minutes * 60_000) / SPAN_MS) * (right - left);
      c.textAlign = minutes === 3 ? "left" : minutes === 0 ? "right" : "center";
      c.fillText(minutes ? `−${minutes} min` : "now", at, bottom + 6);
    }
  }

  drawSpans(ink, spans, { x, top, bottom, left, right, now }) {
    const c = this.context;
    const shown = spans.map((s) => ({ label: s.label, from: x(s.from), to: x(s.to ?? now) })).filter((s) => s.to >= left);
    for (const { from, to } of shown) {
      c.fillStyle = ink.shade;
      c.fillRect(from, top, to - from, bottom - top);
      c.strokeStyle = ink.ink2;
      c.setLineDash([2, 2]);
      line(c, Math.round(from) + 0.5, top - 12, Math.round(from) + 0.5, bottom);
      c.setLineDash([]);
    }
    this.drawLabels(ink, shown, { top, left, right });
  }

  /** From the newest to the oldest, each as far as the one after it leaves room; the newest goes left where it must. */
  drawLabels(ink, spans, { top, left, right }) {
    const c = this.context;
    c.textAlign = "left";
    c.textBaseline = "top";
    let end = right;
    for (const { label: name, from } of spans.toReversed()) {
      const whole = c.measureText(name).width;
      const behind = Math.max(from, left) + 5;
      const start = end === right && behind + whole > right ? Math.max(from - 5 - whole, left) : behind;
      const words = shortened(c, name, end - start);
      if (!words) continue;
      const width = c.measureText(words).width;
      c.fillStyle = ink.ground;
      c.fillRect(start - 3, top - 14, width + 6, 13);
      c.fillStyle = ink.ink2;
      c.fillText(words, start, top - 13);
      end = start - 6;
    }
  }

  drawLine(ink, { key, tone, dash = [], fill = false }, samples, { x, y, bottom }) {
    const c = this.context;
    if (samples.length < 2 || (fill > 0.5 && !samples.some((s) => s[key] > 0))) return;
    c.beginPath();
    samples.forEach((s, i) => c[i ? "lineTo" : "moveTo"](x(s.t), y(s[key] ?? 0)));
    c.strokeStyle = ink[tone];
    c.lineWidth = 1.5;
    c.lineJoin = "round";
    c.setLineDash(dash);
    c.stroke();
    c.setLineDash([]);
    if (!fill) return;
    c.lineTo(x(samples.at(-1).t), bottom);
    c.lineTo(x(samples[0].t), bottom);
    c.closePath();
    c.globalAlpha = fill;
    c.fillStyle = ink[tone];
    c.fill();
    c.globalAlpha = 1;
  }

  drawHover(ink, samples, series, { x, y, top, bottom }) {
    const now = this.last[3];
    const t = now - ((this.width - PAD.right - this.hover) / (this.width - PAD.left - PAD.right)) * SPAN_MS;
    const s = samples.reduce((best, next) => (best && Math.abs(best.t - t) <= Math.abs(next.t - t) ? best : next), null);
    if (!s) return;
    const c = this.context;
    const at = Math.round(x(s.t)) + 0.5;
    c.strokeStyle = ink.ink2;
    line(c, at, top, at, bottom);
    c.fillStyle = ink.ink;
    for (const { key } of series) c.fillRect(at - 2, y(s[key] ?? 0) - 2, 4, 4);
    const words = this.readout(s);
    const half = c.measureText(words).width / 2 + 6;
    const centre = Math.min(Math.max(at, PAD.left + half), this.width - PAD.right - half);
    c.fillStyle = ink.paper;
    c.fillRect(centre - half, 0, 2 * half, 16);
    c.fillStyle = ink.ink;
    c.textAlign = "center";
    c.textBaseline = "top";
    c.fillText(words, centre, 2);
  }

  point(offset) {
    this.hover = offset;
    if (this.last) this.draw(...this.last);
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    [this.width, this.height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    [this.canvas.width, this.canvas.height] = [this.width * ratio, this.height * ratio];
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.repaint();
  }

  repaint() {
    this.colours = null;
    if (this.last) this.draw(...this.last);
  }
}

function line(c, x1, y1, x2, y2) {
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x2, y2);
  c.stroke();
}

/** As much of the words as there is room for; nothing rather than a letter or two. */
function shortened(c, words, room) {
  if (c.measureText(words).width <= room) return words;
  let part = words;
  while (part.length > 3 && c.measureText(`${part}…`).width > room) part = part.slice(0, -1);
  return part.length > 3 ? `${part}…` : "";
}

function niceCeiling(max) {
  const unit = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((m) => m * unit).find((v) => v >= max);
}

function label(v) {
  if (v >= 1000) return `${(v / 1000).toFixed(v % 1000 ? 1 : 0)}k`;
  return Number.isInteger(v) ? String(v) : v.toFixed(1);
}

/** A canvas cannot use custom properties; a colour is resolved by asking an element that can. */
function colours(canvas) {
  const probe = canvas.parentElement;
  const found = { font: getComputedStyle(probe).fontFamily };
  for (const [name, token] of Object.entries({ ink: "--ink", ink2: "--ink-2", faint: "--ink-3", rule: "--rule", shade: "--shade", paper: "--paper-2", ground: "--paper", down: "--down" })) {
    canvas.style.color = `var(${token})`;
    found[name] = getComputedStyle(canvas).color;
  }
  canvas.style.color = "";
  return found;
}
