// How numbers, times and verdicts are said. Pure; every panel uses the same words.

const COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const VERDICTS = { Up: "v-up", Suspect: "v-suspect", Down: "v-down", Recovering: "v-recovering", Unknown: "v-unknown" };

/** The sign of a verdict; shapes differ, so colour is never the only difference. */
export function verdictSign(verdict) {
  return Object.hasOwn(VERDICTS, verdict) ? VERDICTS[verdict] : "v-unknown";
}

export function count(n) {
  return COUNTS[n] ?? String(n);
}

export function plural(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

/** "a", "a and b", "a, b and c". */
export function list(names) {
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A duration in milliseconds at the precision a reader can use. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.floor(ms / 1000);
  if (s < 10) return `${(ms / 1000).toFixed(1)} s`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A verdict and for how long it stands; of a frozen path only the last verdict's time is known. */
export function standing(path) {
  return path.frozen ? `${path.verdict} (frozen)` : `${path.verdict} for ${duration(path.sinceMs)}`;
}

/** The same with one unit only, for narrow places. */
export function coarse(ms) {
  return ms >= 60_000 ? duration(ms).split(" ").slice(0, 2).join(" ") : duration(ms);
}

export function percent(share) {
  const p = share * 100;
  return `${p > 0 && p < 1 ? p.toFixed(1) : Math.round(p)} %`;
}

/** Ready replicas; a question mark where that is only what was last known. */
export function readiness(n, stale) {
  return stale ? `${n}?` : String(n);
}

/** A success rate never rounds up to 100: one failure in ten thousand must show. */
export function successRate(ok, failed) {
  if (ok + failed <= 0) return "–";
  const p = (100 * ok) / (ok + failed);
  return p === 100 ? "100 %" : `${(Math.floor(p * 10) / 10).toFixed(1)} %`;
}

export function number(x, digits = 0) {
  if (x === null || x === undefined) return "–";
  return x.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

export function clock(instant) {
  return new Date(instant).toLocaleTimeString("en-GB");
}

/** What an observer said, and why that did not count where it did not. */
export function voted(seen) {
  if (seen.abstains) return seen.vote === "Abstain" ? "abstains, not counted" : `${seen.vote}, not counted: abstains`;
  const vote = seen.vote === "Abstain" ? "no opinion yet" : seen.vote;
  return seen.counted === false ? `${vote}, not counted: too old` : vote;
}
