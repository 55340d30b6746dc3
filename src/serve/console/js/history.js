// The last minutes of a few numbers; a fixed number of samples, oldest dropped first.

export const SPAN_MS = 180_000;
const MAX_SAMPLES = 720;

export class History {
  samples = [];

  /** Adds `{t, ...numbers}`; `t` is the server's clock in milliseconds. */
  push(sample) {
    const last = this.samples.at(-1);
    if (last && sample.t <= last.t) return;
    this.samples.push(sample);
    while (this.samples.length > MAX_SAMPLES || this.samples[0].t < sample.t - SPAN_MS - 2000) this.samples.shift();
  }

  /** Begins anew with what the server had kept. */
  replace(samples) {
    this.samples = samples;
  }
}
