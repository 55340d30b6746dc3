// Light, dark, or as the system says. Runs before the first paint so that the page never flashes.
"use strict";

(() => {
  const KEY = "lifeboat-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const shown = () => root.dataset.theme ?? (system.matches ? "dark" : "light");

  const stored = localStorage.getItem(KEY);
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => {
      const next = shown() === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Switch to the ${next} theme`);
      button.title = `Switch to the ${next} theme`;
      document.dispatchEvent(new Event("themechange"));
    };
    button.addEventListener("click", () => {
      const next = shown() === "dark" ? "light" : "dark";
      const follows = next === (system.matches ? "dark" : "light");
      if (follows) {
        delete root.dataset.theme;
        localStorage.removeItem(KEY);
      } else {
        root.dataset.theme = next;
        localStorage.setItem(KEY, next);
      }
      label();
    });
    system.addEventListener("change", label);
    label();
  });
})();
