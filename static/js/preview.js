// The keys of an attachment's page: Escape goes back to the message, the arrows to the file before and after it.
import "./frame.js";

const KEYS = { Escape: "[data-close]", ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]" };

document.addEventListener("keydown", (event) => {
  const selector = KEYS[event.key];
  if (!selector || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  // players seek with the arrows, and a text that is being read may scroll sideways
  if (event.key !== "Escape" && event.target.closest("video, audio, pre")) return;
  const link = document.querySelector(selector);
  if (!link) return;
  event.preventDefault();
  link.click();
});
