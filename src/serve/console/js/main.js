// Ties the page together: one document in, every panel drawn from it, at most twice a second.

import { Answers } from "./answers.js";
import { Board } from "./board.js";
import { complete } from "./document.js";
import { set } from "./dom.js";
import { Faults } from "./faults.js";
import { Header } from "./header.js";
import { FleetMap } from "./map.js";
import { Rates } from "./rates.js";
import { connect } from "./stream.js";
import { Timeline } from "./timeline.js";
import { updateWitness } from "./witness.js";

const REDRAW_MS = 450;

let doc = null;
let drawnAt = 0;
let pending = null;
let startedAt = null;

const header = new Header();
const rates = new Rates();
const timeline = new Timeline();
const faults = new Faults({ onPicked: () => draw() });
const map = new FleetMap({ onPick: (cluster) => doc?.faults && faults.toggle(cluster) });
const answers = new Answers({ onFocus: (name) => {
  map.focus = name;
  draw();
} });
const board = new Board({ onPower: (cluster, running) => (running.length ? faults.end(running) : faults.inject("power-off", [cluster])) });

function draw() {
  pending = null;
  drawnAt = performance.now();
  timeline.update();
  if (!doc) return;
  header.update(doc);
  faults.update(doc);
  map.update(doc, doc.faults ? faults.picked : undefined);
  answers.update(doc);
  rates.update(doc, timeline.spans(doc.faults));
  board.update(doc);
  updateWitness(doc);
  set(document.body, "data-drawn", true);
}

function schedule() {
  if (pending || document.hidden) return;
  const wait = Math.max(0, REDRAW_MS - (performance.now() - drawnAt));
  pending = setTimeout(draw, wait);
}

/** A server that started later than the one known so far is another life of it: its entries begin again. */
function noticeRestart(next) {
  const start = Date.parse(next.now) - next.upMs;
  if (startedAt !== null && start > startedAt + 3000) {
    timeline.forgetBefore(start - 1000);
  }
  startedAt = start;
}

connect({
  onHistory: (samples) => rates.begin(samples),
  onState(sent) {
    const next = complete(sent);
    noticeRestart(next);
    doc = next;
    schedule();
  },
  onEntry(entry) {
    timeline.add(entry);
    schedule();
  },
  onLink: (state, reason) => header.setLink(state, reason),
});
