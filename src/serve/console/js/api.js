// The few requests the page makes itself. Each failure becomes one sentence that says what to do.

import { authorization } from "./session.js";

export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The body of the event stream, until `signal` ends it. */
export async function openStream(signal) {
  return (await send("GET", "/api/stream", undefined, signal)).body;
}

export function injectFault(kind, clusters, seconds) {
  return request("POST", "/api/demo/faults", { kind, clusters, for: `${seconds}s` });
}

export function clearFault(id) {
  return request("DELETE", `/api/demo/faults/${encodeURIComponent(id)}`);
}

export function clearFaults() {
  return request("DELETE", "/api/demo/faults");
}

async function request(method, path, body) {
  const answer = await (await send(method, path, body)).text();
  return answer ? JSON.parse(answer) : null;
}

async function send(method, path, body, signal) {
  const headers = { ...authorization(), ...(method === "GET" ? {} : { "content-type": "application/json" }) };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store", signal });
  } catch {
    throw new RequestError("the server cannot be reached (is “lifeboat” still running?)", 0);
  }
  if (!response.ok) throw new RequestError(reason(response, await response.text()), response.status);
  return response;
}

function reason(response, answer) {
  if (response.status === 401) return "the server asks for its token: load the page again to sign in";
  if (response.status === 403 || response.status === 421) return "the server refuses this page: open it at the address the server printed";
  try {
    const said = JSON.parse(answer);
    return said.message ?? said.error ?? `the server answered ${response.status}`;
  } catch {
    return answer.slice(0, 200) || `the server answered ${response.status}`;
  }
}
