// The few requests the page makes itself. Each failure becomes one sentence that says what to do.

export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export function fetchState() {
  return request("GET", "/api/state");
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
  const headers = method === "GET" ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new RequestError("the server cannot be reached (is “lifeboat” still running?)", 0);
  }
  const answer = await response.text();
  if (!response.ok) throw new RequestError(reason(response, answer), response.status);
  return answer ? JSON.parse(answer) : null;
}

function reason(response, answer) {
  if (response.status === 401 || response.status === 403) return "the server refuses this page: open it at the address the server printed";
  try {
    const said = JSON.parse(answer);
    return said.message ?? said.error ?? `the server answered ${response.status}`;
  } catch {
    return answer.slice(0, 200) || `the server answered ${response.status}`;
  }
}
