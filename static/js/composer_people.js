// Recipients as chips with suggestions. The plain field stays the truth: chips are drawn from it and written back to it.
import { icon, one } from "./page.js";

const LOOK_AFTER_MS = 120;
let fields = 0;

/** Splits a list of addresses at commas and semicolons outside of quotes and angle brackets. */
export function split(list) {
  const found = [""];
  let quoted = false;
  let angled = false;
  for (const character of list.replace(/[\r\n]+/g, ",")) {
    if (character === '"') quoted = !quoted;
    if (!quoted && character === "<") angled = true;
    if (!quoted && character === ">") angled = false;
    if (!quoted && !angled && (character === "," || character === ";")) found.push("");
    else found[found.length - 1] += character;
  }
  return found.map((one) => one.trim()).filter(Boolean);
}

const address = (entry) => (/<([^<>]*)>\s*$/.exec(entry)?.[1] ?? entry).trim();
const name = (entry) => (/^(.*?)<[^<>]*>\s*$/.exec(entry)?.[1] ?? "").trim().replace(/^"(.*)"$/, "$1");
const sound = (entry) => /^[^\s@<>,;"()]+@[^\s@<>,;"()]+\.[^\s@<>,;"()]+$/.test(address(entry)) || /^[^\s@<>,;"()]+@[\w-]+$/.test(address(entry));
const quoted = (text) => (/^[\p{L}\p{N} '’_-]*$/u.test(text) ? text : `"${text.replace(/["\\]/g, "")}"`);
const entry = (person) => (person.name ? `${quoted(person.name)} <${person.address}>` : person.address);

export class Recipients {
  constructor(field, { address: where, remove, changed }) {
    this.field = field;
    this.where = where;
    this.removeWords = remove;
    this.changed = changed;
    this.known = new Map();
    this.id = `people-${++fields}`;
    this.box = Object.assign(document.createElement("div"), { className: "chips" });
    this.input = this.makeInput();
    this.list = Object.assign(document.createElement("div"), { className: "people menu-list", id: this.id, hidden: true });
    this.list.role = "listbox";
    this.list.setAttribute("aria-label", one(`label[for="${field.id}"]`).textContent);
    field.after(this.box);
    field.hidden = true;
    this.box.append(this.input, this.list);
    one(`label[for="${field.id}"]`).htmlFor = this.input.id;
    this.draw();
    this.box.addEventListener("click", (event) => event.target === this.box && this.input.focus());
  }

  makeInput() {
    const input = document.createElement("input");
    Object.assign(input, { type: "text", id: `${this.id}-input`, autocomplete: "off", spellcheck: false, className: "chip-input" });
    input.setAttribute("autocapitalize", "off");
    for (const [key, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", this.id]]) input.setAttribute(key, value);
    if (this.field.getAttribute("aria-describedby")) input.setAttribute("aria-describedby", this.field.getAttribute("aria-describedby"));
    input.addEventListener("input", (event) => (event.stopPropagation(), this.typed()));
    input.addEventListener("change", (event) => event.stopPropagation());
    input.addEventListener("keydown", (event) => this.pressed(event));
    input.addEventListener("paste", (event) => this.pasted(event));
    input.addEventListener("blur", () => setTimeout(() => !this.box.contains(document.activeElement) && this.settle(), 120));
    return input;
  }

  get entries() {
    return split(this.field.value);
  }

  write(entries) {
    this.field.value = entries.join(", ");
    this.draw();
    this.changed();
  }

  /** Whatever was typed becomes a chip. */
  settle() {
    this.hide();
    const more = split(this.input.value);
    this.input.value = "";
    if (more.length) this.write([...this.entries, ...more]);
  }

  focus() {
    this.input.focus();
  }

  mark() {
    this.input.setAttribute("aria-invalid", this.field.getAttribute("aria-invalid") ?? "false");
  }

  draw() {
    for (const chip of this.box.querySelectorAll(".person")) chip.remove();
    this.entries.forEach((text, at) => this.input.before(this.chip(text, at)));
    this.mark();
  }

  chip(text, at) {
    const who = name(text) || address(text);
    const known = this.known.get(address(text).toLowerCase());
    const chip = Object.assign(document.createElement("span"), { className: `person${sound(text) ? "" : " wrong"}`, title: address(text) });
    const face = Object.assign(document.createElement("span"), { className: `avatar avatar-22 hue-${known?.hue ?? hue(address(text))}`, textContent: known?.initials ?? initials(who) });
    face.setAttribute("aria-hidden", "true");
    const label = Object.assign(document.createElement("span"), { className: "cut", textContent: who, dir: "auto" });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "person-x" });
    button.setAttribute("aria-label", this.removeWords.replace("%s", who));
    button.append(icon("x", 14));
    button.addEventListener("click", () => {
      this.write(this.entries.filter((_, index) => index !== at));
      this.input.focus();
    });
    chip.append(face, label, button);
    chip.addEventListener("dblclick", () => this.edit(at));
    return chip;
  }

  edit(at) {
    const text = this.entries[at];
    this.write(this.entries.filter((_, index) => index !== at));
    this.input.value = text;
    this.input.focus();
  }

  typed() {
    if (/[,;]\s*$/.test(this.input.value) && !/"[^"]*$/.test(this.input.value)) return this.settle();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), LOOK_AFTER_MS);
    this.changed();
  }

  pasted(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[,;\n]/.test(text)) return;
    event.preventDefault();
    this.write([...this.entries, ...split(text)]);
  }

  pressed(event) {
    const open = !this.list.hidden;
    const options = [...this.list.querySelectorAll("[role=option]")];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) this.choose(options, (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
    else if (open && (event.key === "Enter" || event.key === "Tab") && at >= 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) options[at].click();
    else if (open && event.key === "Escape") this.hide();
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) this.settle();
    else if (event.key === "Backspace" && !this.input.value && this.entries.length) this.write(this.entries.slice(0, -1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async look() {
    const typed = this.input.value.trim();
    if (!typed) return this.hide();
    const answer = await fetch(`${this.where}?${new URLSearchParams({ q: typed })}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok || this.input.value.trim() !== typed) return;
    const taken = new Set(this.entries.map((one) => address(one).toLowerCase()));
    const { people } = await answer.json();
    const found = people.filter((person) => person.everyone || !taken.has(person.address.toLowerCase()));
    this.list.replaceChildren(...found.map((person, index) => this.option(person, index, typed)));
    this.list.hidden = !found.length || document.activeElement !== this.input;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.choose([...this.list.children], 0);
  }

  option(person, index, typed) {
    const option = Object.assign(document.createElement("div"), { className: "menu-item contact", id: `${this.id}-${index}` });
    option.role = "option";
    const face = Object.assign(document.createElement("span"), { className: `avatar avatar-32 hue-${person.hue}`, textContent: person.initials });
    face.setAttribute("aria-hidden", "true");
    const who = Object.assign(document.createElement("span"), { className: "contact-who" });
    const first = Object.assign(document.createElement("span"), { className: "cut", dir: "auto" });
    first.append(...matched(person.name || person.address, typed));
    who.append(first);
    if (person.name && person.address) {
      const second = Object.assign(document.createElement("span"), { className: "cut soft" });
      second.append(...matched(person.address, typed));
      who.append(second);
    }
    const hint = Object.assign(document.createElement("span"), { className: "meta", textContent: person.hint });
    option.append(face, who, hint);
    option.addEventListener("pointerdown", (event) => event.preventDefault());
    option.addEventListener("click", () => this.take(person));
    return option;
  }

  take(person) {
    if (person.everyone) return this.takeAll(split(person.everyone));
    this.known.set(person.address.toLowerCase(), person);
    this.input.value = "";
    this.hide();
    this.write([...this.entries, entry(person)]);
    this.input.focus();
  }

  /** A group: everybody of it who is not named already. */
  takeAll(entries) {
    const taken = new Set(this.entries.map((one) => address(one).toLowerCase()));
    this.input.value = "";
    this.hide();
    this.write([...this.entries, ...entries.filter((one) => !taken.has(address(one).toLowerCase()))]);
    this.input.focus();
  }

  choose(options, at) {
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    this.input.setAttribute("aria-activedescendant", options[at]?.id ?? "");
    options[at]?.scrollIntoView({ block: "nearest" });
  }

  hide() {
    clearTimeout(this.timer);
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

/** The letters that were typed, bold where a word begins with them. */
function matched(text, typed) {
  const at = text.toLowerCase().search(new RegExp(`(?<![\\p{L}\\p{N}])${typed.toLowerCase().replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}`, "u"));
  if (at < 0) return [text];
  const hit = Object.assign(document.createElement("b"), { textContent: text.slice(at, at + typed.length) });
  return [text.slice(0, at), hit, text.slice(at + typed.length)];
}

/** As the server draws them: CRC-32 of the address, in 36 buckets. */
function hue(text) {
  let crc = -1;
  for (const byte of new TextEncoder().encode(text.trim().toLowerCase())) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ((crc ^ -1) >>> 0) % 36;
}

function initials(who) {
  const words = who.split("@")[0].split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (!words.length) return "?";
  return (words.length > 1 ? words[0][0] + words[1][0] : words[0].slice(0, 2)).toUpperCase();
}
