"use strict";

// Airflow's own page around this one knows which theme its reader chose.
function dress() {
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  try {
    if (parent !== window) dark = parent.document.documentElement.classList.contains("dark");
  } catch {
    // Shown from another origin: the system's theme it is.
  }
  document.documentElement.classList.toggle("dark", dark);
}

async function fill(details, url, show) {
  const place = details.querySelector(".loaded");
  if (!details.open || place.dataset.filled) return;
  place.textContent = "…";
  try {
    const answer = await fetch(url, { credentials: "same-origin" });
    show(place, await answer.text());
    place.dataset.filled = "yes";
  } catch (error) {
    place.textContent = `Airflow did not answer: ${error.message}`;
  }
}

function showPage(place, text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  place.replaceChildren(...page.querySelector("main").childNodes);
}

function showText(place, text) {
  place.textContent = text || "(nothing)";
}

function listen() {
  for (const details of document.querySelectorAll("details[data-load]"))
    details.addEventListener("toggle", () => fill(details, details.dataset.load, showPage));
  for (const details of document.querySelectorAll("details[data-load-text]"))
    details.addEventListener("toggle", () => fill(details, details.dataset.loadText, showText));
  for (const button of document.querySelectorAll("button[data-copy]"))
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
}

// What still moves is looked at again, unless its reader is in the middle of something.
function again() {
  const seconds = Number(document.body.dataset.refresh || 0);
  if (!seconds) return;
  setInterval(() => {
    const busy = document.querySelector("details[data-load][open], details[data-load-text][open]");
    if (!busy && !document.hidden && !getSelection().toString()) location.reload();
  }, seconds * 1000);
}

dress();
listen();
again();
try {
  if (parent !== window)
    new MutationObserver(dress).observe(parent.document.documentElement, { attributeFilter: ["class"] });
} catch {
  // As above.
}
