// Time limits that run: every element with `data-until` says how long it is until that real moment.

const words = (ms) => {
  const seconds = Math.floor(ms / 1000);
  if (seconds <= 0) return "now";
  if (seconds >= 172800) return `in ${Math.floor(seconds / 86400)} days`;
  if (seconds >= 7200) return `in ${Math.floor(seconds / 3600)} h`;
  const minutes = Math.floor(seconds / 60);
  return minutes ? `in ${minutes} min ${seconds % 60} s` : `in ${seconds} s`;
};

const tick = () => {
  if (document.hidden) return;
  for (const one of document.querySelectorAll("[data-until]")) {
    const text = words(new Date(one.dataset.until) - Date.now());
    const shown = one.dataset.word ? text : `(${text})`;
    if (one.textContent !== shown) one.textContent = shown;
  }
};

export const countDown = () => {
  tick();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
};
