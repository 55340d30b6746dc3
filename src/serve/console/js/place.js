// Puts nodes and their labels on the map so that none covers another: pure geometry, the same every time.

/**
 * Pushes points apart until they are `gap` pixels from each other, each held near its true place.
 * `fixed` points push but do not move. Returns new points with `x, y` and the true place as `at`.
 */
export function spread(points, fixed, size, gap) {
  const moved = points.map((p) => ({ ...p, at: { x: p.x, y: p.y } }));
  for (let round = 0; round < 80; round += 1) {
    for (let i = 0; i < moved.length; i += 1) {
      for (let j = i + 1; j < moved.length; j += 1) push(moved[i], moved[j], gap, 0.5, 0.5);
      for (const f of fixed) push(moved[i], f, f.gap, 1, 0);
    }
    for (const p of moved) {
      p.x += (p.at.x - p.x) * 0.06;
      p.y += (p.at.y - p.y) * 0.06;
      p.x = clamp(p.x, size.margin, size.width - size.margin);
      p.y = clamp(p.y, size.margin, size.height - size.margin);
    }
  }
  return moved;
}

function push(a, b, gap, shareA, shareB) {
  let [dx, dy] = [b.x - a.x, b.y - a.y];
  const distance = Math.hypot(dx, dy);
  if (distance >= gap) return;
  if (distance < 0.01) [dx, dy] = [0.7, 0.7];
  const force = (gap - distance) / Math.max(distance, 1);
  a.x -= dx * force * shareA;
  a.y -= dy * force * shareA;
  b.x += dx * force * shareB;
  b.y += dy * force * shareB;
}

/**
 * Curves from one point to every node, fanned out so that they do not run on top of each other: the topmost
 * bends up, the lowest down. Answers `{d, through}` by name: an SVG path and points along it.
 */
export function fan(nodes, from, radius) {
  const flows = new Map();
  const right = nodes.filter((n) => n.x >= from.x);
  for (const side of [right, nodes.filter((n) => n.x < from.x)]) {
    outward(side, from).forEach((node, rank, all) => {
      const bend = all.length < 2 ? 0.12 : 0.2 - (0.3 * rank) / (all.length - 1);
      flows.set(node.name, curve(from, node, side === right ? bend : -bend, radius));
    });
  }
  return flows;
}

/** From top to bottom as seen from `from`; of two in one direction the farther one lies outside. */
function outward(nodes, from) {
  const slope = (n) => (n.y - from.y) / Math.max(Math.abs(n.x - from.x), 1);
  const far = (n) => Math.hypot(n.x - from.x, n.y - from.y);
  const order = [...nodes].sort((a, b) => slope(a) - slope(b));
  for (let i = 0; i + 1 < order.length; i += 1) {
    const [a, b] = [order[i], order[i + 1]];
    const upper = i + 1 < order.length / 2 || (i + 1 === order.length / 2 && slope(a) < -0.4);
    if (slope(b) - slope(a) < 0.1 && (upper ? far(a) < far(b) : far(a) > far(b))) [order[i], order[i + 1]] = [b, a];
  }
  return order;
}

function curve(from, to, bend, radius) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const knee = { x: from.x + dx / 2 + dy * bend, y: from.y + dy / 2 - dx * bend };
  const [start, end] = [towards(from, knee, from.gap - radius - 22), towards(to, knee, radius + 5)];
  const through = [0.15, 0.3, 0.45, 0.6, 0.7, 0.78, 0.86, 0.93].map((t) => ({
    x: (1 - t) ** 2 * start.x + 2 * t * (1 - t) * knee.x + t * t * end.x,
    y: (1 - t) ** 2 * start.y + 2 * t * (1 - t) * knee.y + t * t * end.y,
  }));
  const at = (p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`;
  return { d: `M${at(start)}Q${at(knee)} ${at(end)}`, through };
}

function towards(from, to, distance) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: from.x + ((to.x - from.x) * distance) / length, y: from.y + ((to.y - from.y) * distance) / length };
}

/**
 * Chooses the side of each label, `{side, shift}`: the one that overlaps least with nodes, other labels, flows
 * and the edge. `shift` moves a label sideways that would leave the frame. Each label is chosen again after all
 * others were, so that an early choice does not box in a late one.
 */
export function sides(nodes, label, radius, size, obstacles) {
  const fixed = [...nodes.map((n) => box(n.x - radius, n.y - radius, 2 * radius, 2 * radius)), ...obstacles];
  const chosen = nodes.map(() => null);
  for (let round = 0; round < 4; round += 1) {
    nodes.forEach((node, i) => {
      const taken = [...fixed, ...chosen.flatMap((c, j) => (c && j !== i ? [c.at, c.at] : []))];
      chosen[i] = best(["right", "below", "above", "left"].map((side) => candidate(node, side, label, radius, size, taken)));
    });
  }
  return chosen.map(({ side, shift }) => ({ side, shift }));
}

function best(candidates) {
  return candidates.reduce((a, b) => (b.cost < a.cost - 1 ? b : a));
}

function candidate(n, side, { width, height }, radius, size, taken) {
  const gap = radius + 5;
  const middle = { x: clamp(n.x - width / 2, 4, size.width - width - 4), y: n.y - height / 2 };
  const at = {
    right: box(n.x + gap, middle.y, width, height), left: box(n.x - gap - width, middle.y, width, height),
    below: box(middle.x, n.y + gap, width, height), above: box(middle.x, n.y - gap - height, width, height),
  }[side];
  const outside = area(at) - overlap(at, box(0, 0, size.width, size.height));
  const cost = 3 * outside + taken.reduce((sum, t) => sum + overlap(at, t), 0);
  return { side, at, cost, shift: side === "below" || side === "above" ? middle.x - (n.x - width / 2) : 0 };
}

function clamp(v, low, high) {
  return Math.min(Math.max(v, low), Math.max(low, high));
}

export function box(x, y, width, height) {
  return { x, y, width, height };
}

function area(b) {
  return b.width * b.height;
}

function overlap(a, b) {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? w * h : 0;
}
