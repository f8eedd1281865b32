// Sheets: a link with `data-dialog` opens its page in the dialog; its form is sent from there.
// A form with `data-at-once` is sent in the background, and the card it stands in comes back.
import { replace, say } from "./live.js";

const fragment = { headers: { "X-Fragment": "1" } };
const dialog = () => document.getElementById("dialog");
let opener = "";

const show = (html) => {
  const box = dialog();
  box.innerHTML = html;
  if (!box.open) box.showModal();
  (box.querySelector("input:checked, input:not([type=hidden]), textarea") ?? box.querySelector("h1"))?.focus();
};

const close = () => {
  dialog().close();
};

// What a request came to: an answer without a body is done; anything else is shown.
const send = async (form, button) => {
  button?.setAttribute("disabled", "");
  try {
    const body = new URLSearchParams(new FormData(form));
    return await fetch(form.action, { method: "POST", body, ...fragment });
  } catch {
    return null;
  } finally {
    button?.removeAttribute("disabled");
  }
};

const isOurs = (answer) => answer && (answer.status === 204 || answer.headers.get("Content-Type")?.startsWith("text/html"));

const LOST = "This did not reach the server. Please try again.";

const failed = (form, text = LOST) => {
  let alert = form.parentElement.querySelector("[role=alert]");
  if (!alert) {
    alert = document.createElement("p");
    alert.className = "notice bad";
    alert.setAttribute("role", "alert");
    form.before(alert);
  }
  alert.textContent = text;
};

const sendSheet = async (form, button) => {
  const answer = await send(form, button);
  if (!isOurs(answer)) return failed(form);
  if (answer.status !== 204) return show(await answer.text());
  say(decodeURIComponent(answer.headers.get("X-Says") ?? ""));
  const order = answer.headers.get("X-Order");
  close();
  document.dispatchEvent(new CustomEvent("stale", { detail: order }));
};

const sendAtOnce = async (form, button) => {
  const answer = await send(form, button);
  const region = form.closest("[data-live]");
  if (!isOurs(answer) || !region) return failed(form);
  const html = await answer.text();
  if (!answer.ok && answer.status !== 409) { // It is not the order that refuses: something is away, or over.
    opener = button?.id ?? "";
    return show(html);
  }
  if (region.matches("article")) return replace(region, html);
  const error = decodeURIComponent(answer.headers.get("X-Error") ?? "");
  if (error) return failed(form, error);
  document.dispatchEvent(new CustomEvent("stale", { detail: region.dataset.order }));
};

export const openDialogs = () => {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      opener = link.id;
      try {
        const answer = await fetch(link.href, fragment);
        show(await answer.text());
      } catch {
        location.assign(link.href);
      }
    }
    if (event.target.closest("#dialog [data-close]") || event.target === dialog()) {
      event.preventDefault();
      close();
    }
  });
  // A link that opens a dialog is a button to whoever uses the keyboard.
  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches?.("a[data-dialog]")) {
      event.preventDefault();
      event.target.click();
    }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("#dialog [data-sheet]")) {
      event.preventDefault();
      sendSheet(form, event.submitter);
    } else if (form.matches("[data-at-once]")) {
      event.preventDefault();
      sendAtOnce(form, event.submitter);
    }
  });
  dialog().addEventListener("close", () => document.getElementById(opener)?.focus());
};
