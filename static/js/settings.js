// Choices that save themselves: forms marked data-saves post on every change and say so.
import { toast } from "./toasts.js";
import { one, words } from "./page.js";

one("[data-mail-links]")?.addEventListener("click", (event) => {
  const address = new URL(event.currentTarget.dataset.mailLinks.replace("%s", ""), location.href).href;
  try {
    navigator.registerProtocolHandler("mailto", `${address}%s`);
  } catch {
    toast({ text: words().failed }); // not offered by this browser, or not over this connection
  }
});
if (one("form[data-signed]")) import("./signature.js");

document.addEventListener("change", async (event) => {
  const form = event.target.closest?.("form[data-saves]");
  if (!form) return;
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return toast({ text: words().failed });
  if (event.target.name === "theme") document.documentElement.dataset.theme = event.target.value;
  toast({ text: (await answer.json()).text, seconds: 4 });
});
