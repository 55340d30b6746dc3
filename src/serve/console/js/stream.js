// The event stream: connects, notices silence, reconnects with patience, and rests while nobody looks.
//
// Link states: connecting → live ⇄ reconnecting; paused while the page is hidden.

import { fetchState } from "./api.js";

const SILENCE_MS = 4000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];

/** Calls `onState(doc)`, `onEntry(entry)` and `onLink(state, reason)` until the page goes away. */
export function connect({ onState, onEntry, onLink }) {
  let source = null;
  let heardAt = 0;
  let attempt = 0;
  let retry = null;
  let everLive = false;

  function open() {
    close();
    heardAt = performance.now();
    onLink(everLive ? "reconnecting" : "connecting");
    source = new EventSource("/api/stream");
    source.addEventListener("state", (event) => heard(event, (doc) => {
      attempt = 0;
      everLive = true;
      onLink("live");
      onState(doc);
    }));
    source.addEventListener("timeline", (event) => heard(event, onEntry));
    source.addEventListener("error", () => fail());
  }

  function heard(event, deliver) {
    heardAt = performance.now();
    let value;
    try {
      value = JSON.parse(event.data);
    } catch {
      onLink("reconnecting", "the server sent something that is not JSON");
      return;
    }
    deliver(value);
  }

  /** The page retries itself: a browser gives up for good on an error status, and hides the reason. */
  function fail() {
    close();
    if (document.hidden) return;
    onLink("reconnecting");
    const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
    attempt += 1;
    retry = setTimeout(open, wait);
    fetchState().catch((error) => {
      if (!source) onLink("reconnecting", error.message);
    });
  }

  function close() {
    clearTimeout(retry);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) open();
    else {
      close();
      onLink("paused");
    }
  });
  setInterval(() => {
    if (source && performance.now() - heardAt > SILENCE_MS) fail();
  }, 1000);
  open();
}
