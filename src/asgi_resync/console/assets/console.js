// Puts in place what the console sends as it changes; without it, the page is as whole, and stands still.
"use strict";
const live = document.getElementById("live");
let heard = Date.now();
const source = new EventSource("events");
source.addEventListener("sections", (event) => {
  heard = Date.now();
  for (const [name, html] of Object.entries(JSON.parse(event.data))) {
    const place = document.getElementById(name);
    if (!place || place.innerHTML === html) continue;
    const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...place.querySelectorAll("details[open]")].map((one) => one.id);
    const scrolled = place.querySelector(".picture")?.scrollLeft ?? 0;
    place.innerHTML = html;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    const picture = place.querySelector(".picture");
    if (picture) picture.scrollLeft = scrolled;
    if (focused) document.getElementById(focused)?.focus();
  }
});
setInterval(() => {
  const silent = Math.round((Date.now() - heard) / 1000), lost = silent > 4;
  if (lost) live.textContent = `Nothing heard for ${silent} s: what you see may be old.`;
  live.hidden = !lost;
  document.body.classList.toggle("lost", lost);
  // A browser gives up for good where the answer is no stream, such as from a proxy while the app restarts.
  if (lost && source.readyState === EventSource.CLOSED && silent % 10 === 0) location.reload();
}, 1000);
