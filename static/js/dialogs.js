// Dialogs and menus: opened by data-open-dialog, closed by Escape, a press outside, or their own button.
import { all, one } from "./page.js";

export const openDialog = (id) => {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
};

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-open-dialog]");
  if (opener) openDialog(opener.dataset.openDialog);
  const closer = event.target.closest?.("[data-close-dialog]");
  if (closer) closer.closest("dialog").close();
  if (event.target instanceof HTMLDialogElement) {
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
  for (const menu of all("details[data-menu][open]")) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details[data-menu][open]") ?? one("details[data-menu][open]");
  if (!menu) return;
  if (event.key === "Escape") {
    menu.open = false;
    one("summary", menu).focus();
    event.stopPropagation();
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const items = all(".menu-item", menu).filter((item) => item.checkVisibility());
    const at = items.indexOf(document.activeElement);
    const next = at < 0 ? (event.key === "ArrowDown" ? 0 : items.length - 1) : (at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
    items[next]?.focus();
    event.preventDefault();
  }
});
