// The token of a server that asks for one: taken from the address (#token=…) or typed, kept by this tab alone.

import { byId, set, text } from "./dom.js";

const KEY = "lifeboat-token";

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem(KEY, given);
  // Not left in the address, which is shown, bookmarked and shared.
  history.replaceState(null, "", location.pathname + location.search);
}

/** The header that proves who asks; nothing for a server that did not ask for a token. */
export function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Shows the sign-in; calls `onGiven()` once a token was typed. */
export function askForToken(onGiven) {
  const [form, field] = [byId("login"), byId("token")];
  text(byId("login-said"), sessionStorage.getItem(KEY) ? "The server refuses this token." : "");
  sessionStorage.removeItem(KEY);
  set(form, "hidden", false);
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!field.value) return;
    sessionStorage.setItem(KEY, field.value);
    field.value = "";
    set(form, "hidden", true);
    onGiven();
  };
}
