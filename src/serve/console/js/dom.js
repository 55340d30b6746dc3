// The few things every panel does to the page. Writes only what changed, so an idle page stays idle.

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

/** An HTML element: attributes by name, `on` + event as listeners, children as nodes or text. */
export function el(tag, attrs = {}, ...children) {
  return fill(document.createElement(tag), attrs, children);
}

export function svg(tag, attrs = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attrs, children);
}

function fill(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else set(node, name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

/** Sets an attribute, or removes it for null and false. */
export function set(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else {
    const next = value === true ? "" : String(value);
    if (node.getAttribute(name) !== next) node.setAttribute(name, next);
  }
}

export function text(node, value) {
  const next = String(value);
  if (node.textContent !== next) node.textContent = next;
}

/** A style property through the object model, which a strict content security policy allows. */
export function style(node, name, value) {
  if (node.style.getPropertyValue(name) !== value) node.style.setProperty(name, value);
}

/** A sign from the sprite in index.html. Signs repeat words beside them, so they are hidden from readers. */
export function sign(name) {
  const use = svg("use", { href: `#${name}` });
  return svg("svg", { class: `sign ${name}`, "aria-hidden": "true", focusable: "false", viewBox: "0 0 16 16" }, use);
}

export function setSign(node, name) {
  set(node, "class", `sign ${name}`);
  set(node.firstChild, "href", `#${name}`);
}

const rows = new WeakMap();

/** Makes the children of `parent` follow `items`: kept by key, created once, updated in place, in order. */
export function keyed(parent, items, keyOf, create, update) {
  const old = rows.get(parent) ?? new Map();
  const kept = new Map();
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const row = old.get(key) ?? create(item);
    old.delete(key);
    kept.set(key, row);
    const node = row.node ?? row;
    if (node === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(node, cursor);
    update(row, item);
  }
  for (const row of old.values()) (row.node ?? row).remove();
  rows.set(parent, kept);
}
