// What can be done with one message of a conversation: its menu's form, sent by htmx; the ground its text stands on.
import { act } from "./actions.js";
import { all, one, reading } from "./page.js";
import { backToList, refreshReading } from "./panes.js";

const LEAVES = new Set(["delete", "move"]);

/** Does it; a message that was alone leaves as its conversation does. */
async function perform(form, action, extra = {}) {
  const { mailbox, message } = Object.fromEntries(new FormData(form));
  const pane = reading();
  const alone = LEAVES.has(action) && all(".message", pane).length === 1;
  const about = alone ? { threads: [pane.dataset.thread], mailbox } : { message, mailbox };
  await act(action, { ...about, ...extra });
  if (action === "unread") backToList();
  else if (!LEAVES.has(action)) refreshReading();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-message-actions]")) return;
  event.preventDefault();
  form.closest("details").open = false;
  const { name, value } = event.submitter;
  if (name === "onwards") perform(form, "unread", { onwards: value });
  else perform(form, value);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-message-do]");
  if (button) {
    button.closest("details").open = false;
    const to = await new Promise((answer) => {
      document.dispatchEvent(new CustomEvent("mailroom:choose", { detail: { answer, label: button.dataset.messageDo } }));
    });
    if (to) perform(button.form, button.dataset.messageDo, { to });
  }
  const ground = event.target.closest?.("[data-ground]");
  if (ground) changeGround(ground);
});

// A note to an organiser that has been handed over is not handed over again; one that was refused stays.
document.addEventListener("htmx:afterRequest", ({ detail: { elt, xhr } }) => {
  if (elt.matches?.(".invite-answer") && xhr.status === 200) elt.reset();
});

/** The frame follows the link; what stands around it follows here, and the link leads back next time. */
function changeGround(link) {
  link.closest("details").open = false;
  const frame = one("iframe.mail-frame", link.closest(".message"));
  const words = one("span", link);
  const next = new URL(link.href);
  const dark = next.searchParams.get("ground") === "dark";
  frame.classList.toggle("paper", !dark);
  frame.classList.toggle("dark-ground", dark);
  next.searchParams.set("ground", dark ? "paper" : "dark");
  setTimeout(() => {
    link.href = next.href;
    [words.textContent, words.dataset.other] = [words.dataset.other, words.textContent];
  });
}
