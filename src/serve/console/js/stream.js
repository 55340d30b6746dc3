// The event stream: connects, notices silence, reconnects with patience, and rests while nobody looks.
//
// Link states: connecting → live ⇄ reconnecting; paused while the page is hidden; locked until a token was typed.

import { openStream } from "./api.js";
import { events } from "./events.js";
import { askForToken } from "./session.js";

const SILENCE_MS = 4000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const UNAUTHORIZED = 401;

/** Calls `onHistory(samples)`, `onState(doc)`, `onEntry(entry)` and `onLink(state, reason)` until the page goes away. */
export function connect({ onHistory, onState, onEntry, onLink }) {
  let current = null;
  let heardAt = 0;
  let attempt = 0;
  let retry = null;
  let everLive = false;

  const deliver = {
    history: onHistory,
    timeline: onEntry,
    state(doc) {
      attempt = 0;
      everLive = true;
      onLink("live");
      onState(doc);
    },
  };

  async function open() {
    close();
    heardAt = performance.now();
    onLink(everLive ? "reconnecting" : "connecting");
    const mine = new AbortController();
    current = mine;
    let reason;
    try {
      for await (const { type, data } of events(await openStream(mine.signal))) {
        if (current !== mine) return;
        heardAt = performance.now();
        deliver[type]?.(JSON.parse(data));
      }
    } catch (error) {
      if (current !== mine) return;
      if (error.status === UNAUTHORIZED) {
        close();
        onLink("locked");
        askForToken(open);
        return;
      }
      reason = error.status === undefined ? undefined : error.message;
    }
    if (current === mine) fail(reason);
  }

  function fail(reason) {
    close();
    if (document.hidden) return;
    onLink("reconnecting", reason);
    const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
    attempt += 1;
    retry = setTimeout(open, wait);
  }

  function close() {
    clearTimeout(retry);
    current?.abort();
    current = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) open();
    else {
      close();
      onLink("paused");
    }
  });
  setInterval(() => {
    if (current && performance.now() - heardAt > SILENCE_MS) fail("the server is silent");
  }, 1000);
  open();
}
