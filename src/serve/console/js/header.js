// The top line: the state of the fleet in one sentence, the control plane's figures, and the link to the server.

import { byId, el, set, text } from "./dom.js";
import { sentence } from "./sentence.js";
import { clock, duration } from "./words.js";

const LINK_WORDS = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", paused: "Paused", locked: "Locked" };
const LEVEL_SIGNS = { bad: "✕ ", warn: "△ ", back: "↑ ", ok: "", unknown: "" };

export class Header {
  constructor() {
    this.seenAt = null;
    this.link = "connecting";
  }

  update(doc) {
    this.seenAt = doc.now;
    const { level, text: words, detail } = sentence(doc);
    set(byId("state"), "data-level", level);
    sayWhole(byId("sentence"), words);
    text(byId("detail"), detail);
    const title = `${LEVEL_SIGNS[level]}${words} Lifeboat`;
    if (document.title !== title) document.title = title;
    const { fleet } = doc;
    text(byId("fact-controller"), fleet.controller === "down" ? "down ✕" : fleet.freeze ? "FREEZE" : fleet.controller);
    set(byId("fact-controller"), "data-level", fleet.controller === "down" ? "bad" : fleet.freeze ? "warn" : null);
    text(byId("fact-epoch"), fleet.epoch);
    text(byId("fact-seq"), fleet.seq);
    text(byId("fact-hold"), fleet.holdMs === undefined || fleet.controller === "down" ? "–" : duration(fleet.holdMs));
    text(byId("now"), clock(doc.now));
  }

  setLink(state, reason) {
    this.link = state;
    set(document.body, "data-link", state);
    text(byId("link"), LINK_WORDS[state]);
    if (state === "locked") {
      sayWhole(byId("sentence"), "This console asks for a token.");
      text(byId("detail"), "The server was started with one: --token or LIFEBOAT_TOKEN.");
    }
    if (state === "reconnecting") document.title = "○ No contact. Lifeboat";
    const notice = byId("notice");
    const lost = state === "reconnecting" && (reason || !notice.hidden);
    set(notice, "hidden", !lost);
    if (!lost || !reason) return;
    const age = this.seenAt ? ` What you see is from ${clock(this.seenAt)}.` : "";
    text(notice, `No contact: ${reason}.${age} Trying again by itself.`);
  }
}

/** Sets a sentence whose hyphenated names do not break over lines; says nothing again that was said. */
function sayWhole(node, words) {
  if (node.textContent === words) return;
  node.replaceChildren(...words.split(/(\S*-\S*)/).map((part, i) => (i % 2 ? el("span", { class: "whole" }, part) : part)));
}
