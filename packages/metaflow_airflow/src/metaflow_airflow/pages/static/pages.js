"use strict";

const WORDS = JSON.parse(document.body?.dataset.words || "{}");

// Our colours by the names of Airflow's; where a name is gone, pages.css has one like it.
const TOKENS = {
  "--background": "bg", "--text": "fg", "--quiet": "fg-muted", "--line": "border",
  "--raised": "bg-muted", "--link": "fg-info", "--bad": "fg-error", "--good": "fg-success",
  "--going": "fg-info",
};

// Airflow's own page around this one knows which theme its reader chose, and its colours and font.
function dress() {
  const own = document.documentElement;
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  try {
    if (parent !== window) {
      dark = parent.document.documentElement.classList.contains("dark");
      const theirs = getComputedStyle(parent.document.documentElement);
      for (const [name, token] of Object.entries(TOKENS))
        own.style.setProperty(name, theirs.getPropertyValue(`--chakra-colors-${token}`));
      own.style.setProperty("--font", getComputedStyle(parent.document.body).fontFamily);
    }
  } catch {
    // Shown from another origin: the system's theme it is.
  }
  own.classList.toggle("dark", dark);
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
    place.textContent = WORDS.no_answer.replace("{why}", error.message);
  }
}

function showPage(place, text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  place.replaceChildren(...page.querySelector("main").childNodes);
}

function showText(place, text) {
  place.textContent = text || WORDS.empty;
}

function listen() {
  for (const details of document.querySelectorAll("details[data-load]"))
    details.addEventListener("toggle", () => fill(details, details.dataset.load, showPage));
  for (const details of document.querySelectorAll("details[data-load-text]"))
    details.addEventListener("toggle", () => fill(details, details.dataset.loadText, showText));
  for (const button of document.querySelectorAll("button[data-copy]"))
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = WORDS.copied;
      setTimeout(() => { button.textContent = WORDS.copy; }, 1500);
    });
}

// Airflow's frame around this page lets no link lead out of it. A link of Airflow's own page does:
// both are of one origin, and only our own templates' links come here, never a card's.
function leave(event) {
  const link = event.target.closest("a[target]");
  if (!link || parent === window) return;
  event.preventDefault();
  const way = parent.document.createElement("a");
  way.href = link.href;
  way.target = link.target === "_top" ? "_self" : link.target;
  way.rel = "noopener";
  parent.document.body.append(way);
  way.click();
  way.remove();
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
document.addEventListener("click", leave);
listen();
again();
try {
  if (parent !== window)
    new MutationObserver(dress).observe(parent.document.documentElement, { attributeFilter: ["class"] });
} catch {
  // As above.
}
