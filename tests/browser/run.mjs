// Checks the web console in headless Chromium against a running demo.
//
//   node run.mjs http://127.0.0.1:8080 [folder for screenshots [token [control plane's API server]]]
//
// Signs in, where a token is given. Loads the page in both themes and on a phone's width, cuts the power of one cluster with the page's own button,
// sees the verdict and the answers move, clears the fault and sees the cluster return. Where an API server is given: deletes Observer
// objects until too few count, and sees every path frozen while the answers stay. Exits 1 with the first
// expectation that was not met. CHROMIUM names another browser than /usr/bin/chromium.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { pureChecks } from "./pure.mjs";

const [url, folder = "shots", token, api] = process.argv.slice(2);
const VICTIM = "eu-central-1";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const MAX_LAYOUT_SHIFT = 0.1;
const SECOND = 1000;

if (!url) {
  console.error("usage: node run.mjs URL [FOLDER [TOKEN [API]]]");
  process.exit(2);
}

const problems = [];
const started = performance.now();

function say(words) {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${words}`);
}

function expect(condition, words) {
  if (!condition) throw new Error(words);
}

/** Waits until `probe`, run in the page, is true. */
async function until(page, words, timeoutMs, probe, argument) {
  const from = performance.now();
  try {
    await page.waitForFunction(probe, argument, { timeout: timeoutMs, polling: 50 });
  } catch (error) {
    const said = await page.locator("#sentence").textContent().catch(() => "nothing");
    throw new Error(`${words}: not within ${timeoutMs / 1000} s; the page says “${said}” (${error.message.split("\n")[0]})`);
  }
  say(`${words} (${Math.round(performance.now() - from)} ms)`);
}

/** Everything a browser complains about counts, whenever it happens. */
function listen(page) {
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.stack ?? error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`${response.status()} for ${response.url()}`);
  });
  return page.addInitScript(() => {
    window.shift = 0;
    document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    // CLS as it is defined: the largest burst, a burst being shifts less than 1 s apart and 5 s long at most.
    const burst = { first: 0, last: 0, sum: 0 };
    new PerformanceObserver((list) => {
      for (const { startTime, value, hadRecentInput } of list.getEntries()) {
        if (hadRecentInput) continue;
        const goesOn = startTime - burst.last < 1000 && startTime - burst.first < 5000;
        Object.assign(burst, goesOn ? { last: startTime, sum: burst.sum + value } : { first: startTime, last: startTime, sum: value });
        window.shift = Math.max(window.shift, burst.sum);
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

const verdicts = ([name, verdict]) => {
  const node = [...document.querySelectorAll(".node")].find((n) => n.ariaLabel?.startsWith(`${name}: `));
  return node !== undefined && [...node.querySelectorAll(".ring path")].every((half) => half.dataset.v === verdict);
};
const answered = ([name, expected]) => {
  const segments = [...document.querySelectorAll("#names .seg")];
  return segments.length > 0 && segments.some((s) => s.title.startsWith(`${name}: `)) === expected;
};

async function open(browser, options) {
  const page = await browser.newPage(options);
  await listen(page);
  const response = await page.goto(token ? `${url}/#token=${token}` : url, { waitUntil: "load" });
  expect(response?.ok(), `${url} answered ${response?.status()}`);
  const policy = response.headers()["content-security-policy"] ?? "";
  expect(policy.includes("default-src 'none'") && !policy.includes("unsafe"), `the content security policy is “${policy}”`);
  return page;
}

/** Not listened to: a browser complains about the 401 that is wanted here. */
async function signIn(browser) {
  const page = await browser.newPage({ colorScheme: "light" });
  await page.goto(url, { waitUntil: "load" });
  for (const [typed, link] of [["wrong", "locked"], [token, "live"]]) {
    await page.locator("#login").waitFor({ state: "visible" });
    await page.fill("#token", typed);
    await page.click("#login button");
    await until(page, `“${typed}” makes the page ${link}`, 20 * SECOND, (state) => document.body.dataset.link === state, link);
  }
  expect(await page.locator("#login").isHidden(), "the sign-in stays on the page");
  await page.close();
}

async function themes(page, shot) {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await paper();
  await shot("dark");
  await page.click("#theme");
  const light = await paper();
  expect(dark !== light, `the theme button changed nothing: the page stayed ${dark}`);
  await shot("light");
  await page.reload();
  expect((await paper()) === light, "the chosen theme was forgotten on reload");
  await page.click("#theme");
  expect((await paper()) === dark, "the theme button does not switch back");
  await page.emulateMedia({ colorScheme: "light" });
  expect((await paper()) === light, "without a choice the page does not follow the system's theme");
  await page.emulateMedia({ colorScheme: "dark" });
  say("both themes");
}

async function phone(browser) {
  const page = await open(browser, { viewport: { width: 390, height: 844 }, colorScheme: "dark", reducedMotion: "reduce" });
  await until(page, "a phone shows five clusters", 20 * SECOND, () => document.querySelectorAll(".node").length === 5);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width <= 390, `the page is ${width} px wide on a 390 px window`);
  await page.screenshot({ path: join(folder, "phone.png"), fullPage: true });
  await page.close();
}

async function failure(page, shot) {
  await page.locator("#fault-clusters input").and(page.locator(`[value="${VICTIM}"]`)).check({ force: true });
  await page.click('[data-kind="power-off"]');
  await until(page, `${VICTIM} is Down on both paths`, 15 * SECOND, verdicts, [VICTIM, "Down"]);
  await until(page, "no answer names it", 15 * SECOND, answered, [VICTIM, false]);
  await until(page, "the sentence says so", 5 * SECOND, (name) => document.querySelector("#sentence").textContent.startsWith(`${name} is down`), VICTIM);
  await until(page, "the fault's time runs", 5 * SECOND, () => /\d+ s left/.test(document.querySelector("#fault-list").textContent));
  const decision = page.locator('#entries [data-type="cluster.down"] summary').first();
  await decision.click();
  const witnesses = await page.locator('#entries [data-type="cluster.down"] .evidence tbody tr').count();
  expect(witnesses > 0, "the decision shows no evidence");
  await shot("down");
}

async function recovery(page, shot) {
  await page.click("#fault-clear");
  await until(page, "no fault runs", 10 * SECOND, () => document.querySelectorAll("#fault-list li").length === 0);
  await until(page, `answers name ${VICTIM} again`, 90 * SECOND, answered, [VICTIM, true]);
  await until(page, `${VICTIM} is Up again`, 90 * SECOND, verdicts, [VICTIM, "Up"]);
  await shot("recovered");
}

/** One request about an Observer object. */
async function observer(method, name, object) {
  const all = `${api}/apis/lifeboat.dev/v1alpha1/observers`;
  const response = await fetch(method === "POST" ? all : `${all}/${name}`, {
    method, headers: { "Content-Type": "application/json" }, body: object && JSON.stringify(object),
  });
  const said = await response.text();
  expect(response.ok, `${method} of the Observer ${name} was answered ${response.status}: ${said}`);
  return JSON.parse(said);
}

/** Two of five observers decide nothing: every path is unknown, and nobody is moved. */
async function frozen(page, shot) {
  const paths = (word) => {
    const cells = [...document.querySelectorAll("td.path")];
    const says = (cell) => cell.dataset.v === word && (cell.querySelector(".verdict .sub").textContent === "frozen") === (word === "Unknown");
    return cells.length === 10 && cells.every(says);
  };
  const taken = [];
  for (const name of ["observer-3", "observer-4", "observer-5"]) {
    taken.push(await observer("GET", name));
    await observer("DELETE", name);
  }
  await until(page, "every path is frozen", 20 * SECOND, paths, "Unknown");
  await until(page, `answers go on naming ${VICTIM}`, 5 * SECOND, answered, [VICTIM, true]);
  await until(page, "the sentence says why", 5 * SECOND, () => document.querySelector("#sentence").textContent.startsWith("Too few observers are heard"));
  await shot("frozen");
  for (const { apiVersion, kind, metadata: { name }, spec } of taken) await observer("POST", name, { apiVersion, kind, metadata: { name }, spec });
  await until(page, "every path is Up again", 20 * SECOND, paths, "Up");
}

async function main(browser) {
  if (token) await signIn(browser);
  const page = await open(browser, { viewport: { width: 1440, height: 900 }, colorScheme: "dark" });
  const shot = (name) => page.screenshot({ path: join(folder, `${name}.png`) });
  await until(page, "the stream is live", 20 * SECOND, () => document.body.dataset.link === "live");
  await until(page, "five clusters", 20 * SECOND, () => document.querySelectorAll(".node").length === 5);
  await until(page, `${VICTIM} is Up`, 90 * SECOND, verdicts, [VICTIM, "Up"]);
  await until(page, "answers name it", 90 * SECOND, answered, [VICTIM, true]);
  await pureChecks(page);
  say("sentences, shares and places");
  await themes(page, shot);
  await phone(browser);
  await until(page, "live after the reload", 20 * SECOND, () => document.body.dataset.link === "live" && document.querySelectorAll(".node").length === 5);
  await failure(page, shot);
  await recovery(page, shot);
  if (api) await frozen(page, shot);
  await page.reload();
  await until(page, "live after another reload", 20 * SECOND, () => document.body.dataset.link === "live");
  expect(!page.url().includes(token ?? "#"), `the address is ${page.url()}`);
  const shift = await page.evaluate(() => window.shift);
  expect(shift < MAX_LAYOUT_SHIFT, `the layout shifted by ${shift.toFixed(3)}, allowed is ${MAX_LAYOUT_SHIFT}`);
  expect(problems.length === 0, `the browser complained:\n  ${problems.join("\n  ")}`);
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
try {
  await main(browser);
  say(`the console works; screenshots are in ${folder}`);
} catch (error) {
  console.error(`FAILED: ${error.message}`);
  for (const problem of problems) console.error(`  ${problem}`);
  for (const [i, page] of browser.contexts().flatMap((c) => c.pages()).entries()) {
    await page.screenshot({ path: join(folder, `failed-${i}.png`) }).catch(() => {});
  }
  process.exitCode = 1;
} finally {
  await browser.close();
}
