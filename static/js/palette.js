// Ctrl-K: folders and actions by name. The same dialog chooses the folder to move to, and a label.
import { perform } from "./actions.js";
import { openDialog } from "./dialogs.js";
import { all, icon, one } from "./page.js";

const dialog = one("#palette");
const field = dialog && one("input", dialog);
const list = dialog && one("#palette-list", dialog);
let choices = [];
let chosen = null; // resolves chooseFolder()

function folderChoices(run, among = () => true) {
  return all("#nav [data-mailbox]").filter(among).map((link) => ({
    label: link.title,
    hint: one("summary .cut", link.closest("details")).textContent,
    icon: one("use", link).getAttribute("href").split("#")[1],
    run: () => run(link),
  }));
}

/** Mail moves within its account: the folders of the accounts these mailboxes belong to, all while one is not known. */
function destinations(mailboxes, run) {
  const account = (id) => one(`#nav [data-mailbox="${CSS.escape(id ?? "")}"]`)?.closest("details");
  const homes = new Set(mailboxes.map(account));
  return homes.has(undefined) ? folderChoices(run) : folderChoices(run, (link) => homes.has(link.closest("details")));
}

function labelChoices(run) {
  return all('.bulk [name="label"]').map((button) => ({ label: button.textContent, hint: "", icon: "tag", run: () => run(button) }));
}

function everything() {
  const places = all("#nav [data-go]").map((link) => ({ label: link.title, hint: "", icon: one("use", link).getAttribute("href").split("#")[1], run: () => link.click() }));
  const actions = [...one("#palette-actions").content.children].map((entry) => ({
    label: entry.textContent,
    hint: "",
    icon: entry.dataset.icon,
    run: () => runAction(entry),
  }));
  return [...places, ...folderChoices((link) => link.click()), ...actions];
}

function runAction(entry) {
  if (entry.dataset.do === "shortcuts") openDialog("shortcuts");
  else if (entry.dataset.do) perform(entry.dataset.do);
  else if (entry.hasAttribute("data-compose")) one(".compose").click();
  else location.assign(entry.getAttribute("href"));
}

function open(entries, label) {
  choices = entries;
  field.value = "";
  field.placeholder = label;
  field.setAttribute("aria-label", label);
  draw();
  openDialog("palette");
  field.focus();
}

export const openPalette = () => dialog && open(everything(), dialog.dataset.go);

/** Asks for a folder or a label; resolves to its id or keyword, or to "" when the dialog was closed. */
// the palette knows the actions, so actions ask for a choice by an event: two modules must not import each other
document.addEventListener("mailroom:choose", async (event) => event.detail.answer(await choose(event.detail)));

function choose({ label, mailboxes }) {
  return new Promise((resolve) => {
    chosen = resolve;
    const entries = label === "label" ? labelChoices((button) => settle(button.value)) : destinations(mailboxes, (link) => settle(link.dataset.mailbox));
    open(entries, dialog.dataset[label]);
  });
}

function settle(value) {
  chosen?.(value);
  chosen = null;
}

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function draw() {
  const wanted = plain(field.value).split(/\s+/).filter(Boolean);
  const found = choices.filter((choice) => wanted.every((word) => plain(`${choice.label} ${choice.hint}`).includes(word))).slice(0, 40);
  list.replaceChildren(...found.map(option));
  list.hidden = !found.length;
  one(".palette-nothing", dialog).hidden = found.length > 0;
  mark(0);
}

function option(choice, index) {
  const item = document.createElement("div");
  item.className = "menu-item";
  item.id = `palette-${index}`;
  item.role = "option";
  const hint = document.createElement("span");
  hint.className = "meta";
  hint.textContent = choice.hint;
  const label = document.createElement("span");
  label.dir = "auto";
  label.textContent = choice.label;
  item.append(icon(choice.icon, 18), label, hint);
  item.addEventListener("click", () => pick(choice));
  return item;
}

/** A folder that somebody waits for is told at once; anything else begins when the dialog has closed. */
function pick(choice) {
  if (chosen) choice.run();
  else dialog.addEventListener("close", () => choice.run(), { once: true });
  dialog.close();
}

function mark(index) {
  const items = all(".menu-item", list);
  items.forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
  field.setAttribute("aria-activedescendant", items[index]?.id ?? "");
  items[index]?.scrollIntoView({ block: "nearest" });
}

field?.addEventListener("input", draw);
field?.addEventListener("keydown", (event) => {
  const items = all(".menu-item", list);
  const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown") mark((at + 1) % items.length);
  else if (event.key === "ArrowUp") mark((at - 1 + items.length) % items.length);
  else if (event.key === "Enter") items[at]?.click();
  else return;
  event.preventDefault();
});
dialog?.addEventListener("close", () => settle(""));
