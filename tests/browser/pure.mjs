// Tables for the console's pure modules, run inside the page against the very files that are served.

export async function pureChecks(page) {
  const wrong = await page.evaluate(async () => {
    const { sentence } = await import("/console/js/sentence.js");
    const { waiting } = await import("/console/js/holds.js");
    const { clusterShares } = await import("/console/js/shares.js");
    const { placeOf } = await import("/console/js/atlas.js");
    const { spread } = await import("/console/js/place.js");
    const { duration, list, standing, successRate, voted } = await import("/console/js/words.js");
    const wrong = [];
    const check = (what, got, want) => {
      if (JSON.stringify(got) !== JSON.stringify(want)) wrong.push(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(want)}`);
    };

    const cluster = (name, traffic = "Up", control = "Up") => ({ name, traffic: { verdict: traffic }, control: { verdict: control } });
    const doc = (clusters, answers, fleet = {}) => ({
      clusters, bindings: [], holds: [], noTarget: [], fleet: { controller: "running", freeze: false, panic: false, ...fleet },
      names: [{ name: "n", servers: [{ panic: false, answers: Object.entries(answers).map(([c, share]) => ({ cluster: c, share })) }] }],
    });
    const says = (d, want) => check("sentence", sentence(d).text, want);
    says(doc([], {}), "No cluster has joined this fleet yet.");
    says(doc([cluster("a"), cluster("b")], { a: 1 }), "Both clusters serve.");
    says(doc([cluster("a", "Down", "Down"), cluster("b"), cluster("c")], { a: 0.5, b: 0.5 }), "a is down; DNS is moving its users.");
    says(doc([cluster("a", "Down"), cluster("b"), cluster("c")], { b: 0.5, c: 0.5 }), "a is down; users are on b and c.");
    says(doc([cluster("a", "Down"), cluster("b"), cluster("c"), cluster("d")], { b: 1, c: 1, d: 1 }), "a is down; users are on the other three.");
    says(doc([cluster("a", "Down"), cluster("b", "Down")], { a: 1 }), "Both clusters are down. DNS keeps giving the last good answers.");
    says(doc([cluster("a", "Up", "Down"), cluster("b")], { a: 1 }), "Both clusters serve; the API of a does not answer.");
    says(doc([cluster("a", "Recovering"), cluster("b")], { b: 1 }), "a is coming back; traffic returns step by step.");
    says(doc([cluster("a", "Unknown"), cluster("b", "Unknown")], {}), "No verdict on any cluster yet: waiting for the observers.");
    const frozen = sentence(doc([cluster("a", "Up", "Down"), cluster("b")], { a: 1 }));
    check("what is frozen is told", JSON.stringify(frozen).includes("a is frozen: no placement, no eviction"), true);
    const still = (name) => ({ ...cluster(name), traffic: { verdict: "Unknown", frozen: true, lastVerdict: "Up" } });
    says(doc([still("a"), still("b")], { a: 1 }), "Too few observers are heard for a verdict on any cluster; answers stay as they are.");
    says(doc([still("a"), cluster("b")], { a: 1 }), "No verdict on a; answers stay as they are.");
    says(doc([cluster("a"), cluster("b")], { a: 1 }, { panic: true }), "PANIC: no survivor is positively healthy. DNS keeps giving the last good answers.");

    const shares = clusterShares([{ name: "n", servers: [{ answers: [{ cluster: "a", share: 1 }, { cluster: "b", share: 1 }] }, { answers: [{ cluster: "b", share: 1 }] }, { answers: [] }] }]);
    check("shares", [...shares], [["a", 0.25], ["b", 0.75]]);

    const held = {
      bindings: [{ namespace: "default", name: "shop", clusters: [{ name: "a" }], evicting: [] }],
      holds: [{ subject: "a", reason: "HoldTimer", message: "both paths Down", remainingMs: 2000 }, { subject: "default/shop", reason: "Budget", message: "no token" }, { subject: "b", reason: "Unknown", message: "too few observers" }],
      noTarget: [{ binding: "default/web", clusters: ["b"], message: "no room" }],
    };
    check("what a waits for", waiting(held, "a"), { text: "the hold, 2.0 s; the eviction budget", title: "a: both paths Down\ndefault/shop: no token", bad: false });
    check("what b waits for", waiting(held, "b"), { text: "1 workload with nowhere to go; a verdict", title: "default/web: no room\nb: too few observers", bad: true });
    check("what c waits for", waiting(held, "c").text, "");

    check("an unknown region", placeOf("the-cellar"), null);
    check("an inherited name", placeOf("constructor"), null);
    const [a, b] = spread([{ x: 100, y: 100 }, { x: 100, y: 100 }], [], { width: 400, height: 400, margin: 10 }, 50);
    check("coinciding nodes stand apart", Math.hypot(a.x - b.x, a.y - b.y) > 40, true);

    check("list", [list([]), list(["a"]), list(["a", "b", "c"])], ["", "a", "a, b and c"]);
    check("duration", [0, 999, 1500, 61000, 3.7e6].map(duration), ["0 ms", "999 ms", "1.5 s", "1 min 1 s", "1 h 1 min"]);
    check("standing", [standing({ verdict: "Up", frozen: false, sinceMs: 1500 }), standing({ verdict: "Unknown", frozen: true, sinceMs: 1500 })],
      ["Up for 1.5 s", "Unknown (frozen)"]);
    check("vote", [voted({ vote: "Dead", counted: true }), voted({ vote: "Dead", counted: false }), voted({ vote: "Abstain", counted: true }), voted({ vote: "Abstain", counted: false, abstains: true })],
      ["Dead", "Dead, not counted: too old", "no opinion yet", "abstains, not counted"]);
    check("success", [successRate(1e6, 0), successRate(1e6, 1), successRate(0, 0)], ["100 %", "99.9 %", "–"]);
    return wrong;
  });
  if (wrong.length) throw new Error(`pure modules:\n  ${wrong.join("\n  ")}`);
}
