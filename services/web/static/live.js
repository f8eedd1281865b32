// Pages that follow what happens. A region with `data-live` is fetched again when something happened to its `data-order`,
// when anything happened (`data-any`), or every so many seconds (`data-every`).

const waiting = new Map();
const SOON_MS = 150; // Several events of one order come at once: one fetch shows them all.
const LATER_MS = 1000; // Regions about everything are fetched at most so often.
const AGAIN_MS = 2000; // Until a server that has refused is asked again.

export const say = (text) => {
  if (text) document.getElementById("says").textContent = text;
};

// What a region tells, whatever is unfolded in it and however late it is.
const told = (region) =>
  region.outerHTML
    .replace(/(data-until="[^"]*"[^>]*>)[^<]*/g, "$1")
    .replace(/ open(="")?/g, "")
    .replace(/( class="[^"]*?) ?\bfresh\b/g, "$1");

// Puts a newer version of a region in the place of the old one; focus and what was unfolded stay.
export const replace = (region, html) => {
  const box = document.createElement("template");
  box.innerHTML = html;
  const fresh = box.content.firstElementChild;
  if (!fresh || told(fresh) === told(region)) return region;
  const open = [...region.querySelectorAll("details[open][id]")].map((one) => one.id);
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  if (fresh.dataset.says !== region.dataset.says) say(fresh.dataset.says);
  region.replaceWith(fresh);
  if (!("every" in fresh.dataset)) fresh.classList.add("fresh");
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) (document.getElementById(focused) ?? fresh.querySelector("a, button"))?.focus({ preventScroll: true });
  return fresh;
};

const refresh = async (region) => {
  try {
    const answer = await fetch(region.dataset.live, { headers: { "X-Fragment": "1" } });
    if (answer.status === 200 && region.isConnected) replace(region, await answer.text());
    else if (answer.status === 429 || answer.status >= 500) setTimeout(soon, AGAIN_MS, region);
  } catch {
    // The banner says that the server is away; when it is back, everything is fetched again.
  }
};

// Fetches a region soon, and once, however often it is asked for meanwhile.
const soon = (region) => {
  const key = region.dataset.live;
  if (waiting.has(key)) return;
  const run = () => {
    waiting.delete(key);
    const now = document.querySelector(`[data-live="${CSS.escape(key)}"]`);
    if (now) refresh(now);
  };
  waiting.set(key, setTimeout(run, "any" in region.dataset ? LATER_MS : SOON_MS));
};

const touch = (order) => {
  for (const region of document.querySelectorAll("[data-live]"))
    if (!order || "any" in region.dataset || region.dataset.order === order) soon(region);
};

const trouble = (text) => {
  const banner = document.getElementById("banner");
  banner.querySelector("span").textContent = text;
  banner.hidden = !text;
};

// A browser comes back by itself to a connection that broke, but never to one that was refused, as by a proxy while the server is away.
const listen = (url, lost = false) => {
  let away = false;
  const source = new EventSource(url);
  source.addEventListener("open", () => {
    if (lost) touch();
    lost = false;
    trouble("");
  });
  source.addEventListener("error", () => {
    lost = true;
    trouble("The server does not answer. This page goes on by itself as soon as it does.");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS, url, true);
  });
  source.addEventListener("trouble", (event) => {
    trouble(event.data);
    if (away && !event.data) touch();
    away = event.data !== "";
  });
  source.addEventListener("message", (event) => touch(JSON.parse(event.data).order_id));
};

export const followEvents = () => {
  document.addEventListener("stale", (event) => touch(event.detail));
  setInterval(() => {
    if (document.hidden) return;
    for (const region of document.querySelectorAll("[data-every]")) soon(region);
  }, 2000);
  const url = document.body.dataset.events;
  if (url) listen(url);
};
