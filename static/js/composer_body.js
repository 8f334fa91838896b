// The text of a message: the editor in its sandboxed frame with its buttons, or a plain textarea.
import { all, one } from "./page.js";

export class Body {
  constructor(composer) {
    this.composer = composer;
    const { element, form, words } = composer;
    this.area = form.elements.text;
    this.source = form.elements.html;
    this.strip = one(".format-strip", element);
    this.plainButton = one("[data-toggle-plain]", element);
    this.plain = form.elements.format.dataset.format === "plain";
    this.asked = new Map();
    this.number = 0;
    this.ready = this.plain ? Promise.resolve() : this.load(words);
    this.draw();
    for (const button of all("[data-format-do]", this.strip)) button.addEventListener("click", () => this.format(button.dataset.formatDo));
    one("[data-toggle-format]", element).addEventListener("click", (event) => this.toggleStrip(event.currentTarget));
    this.plainButton.addEventListener("click", () => this.toggle());
    one(".link-box", element).addEventListener("keydown", (event) => this.linkKeys(event));
    one(".link-box button", element).addEventListener("click", () => this.link());
    this.arrows();
  }

  /** Makes the frame, hands it the text and one end of a channel. */
  load() {
    this.frame = document.createElement("iframe");
    this.frame.className = "composer-frame";
    this.frame.title = this.composer.words.text;
    this.frame.setAttribute("sandbox", "allow-scripts");
    this.frame.src = this.composer.words.editor;
    this.area.after(this.frame);
    return new Promise((resolve) => {
      this.frame.addEventListener("load", () => {
        this.ready.then(() => this.showPictures());
        const { port1, port2 } = new MessageChannel();
        this.port = port1;
        port1.onmessage = ({ data }) => (data.kind === "ready" ? resolve() : this.hear(data));
        const theme = document.documentElement.dataset.theme ?? "system";
        this.frame.contentWindow.postMessage({ kind: "open", html: this.source.value, theme }, "*", [port2]);
      });
    });
  }

  hear(data) {
    const { composer } = this;
    if (data.kind === "changed") composer.changed();
    if (data.kind === "got") {
      this.asked.get(data.id)?.(data);
      this.asked.delete(data.id);
    }
    if (data.kind === "formats") for (const button of all("[aria-pressed][data-format-do]", this.strip)) button.setAttribute("aria-pressed", String(Boolean(data.formats[button.dataset.formatDo])));
    if (data.kind === "files") composer.uploads.add(data.files, { inText: true });
    if (data.kind === "drag") composer.uploads.dragging(true);
    if (data.kind === "key") ({ send: () => composer.send(), close: () => composer.escape(), link: () => this.format("link") })[data.key]?.();
    if (data.kind === "focus") for (const menu of all("details[data-menu][open]")) menu.open = false;
  }

  /** What is written now: html and text, and which of them counts. */
  async read() {
    if (this.plain) return { html: "", text: this.area.value, plain: true };
    await this.ready;
    const id = ++this.number;
    const answer = new Promise((resolve) => this.asked.set(id, resolve));
    this.port.postMessage({ kind: "get", id });
    const { html, text } = await answer;
    return { html, text, plain: false };
  }

  /** Pictures of the text, those of a quoted message included, are fetched by this page and handed in. */
  async showPictures() {
    const known = JSON.parse(this.composer.words.pictures || "{}");
    for (const [cid, url] of Object.entries(known)) {
      const answer = await fetch(url).catch(() => null);
      const blob = answer?.ok && (await answer.blob());
      if (blob?.type.startsWith("image/")) this.port.postMessage({ kind: "picture", cid, blob });
    }
  }

  /** The signature of one address gives way to that of another, where it still stands as it was put there. */
  sign(before, now) {
    if (this.plain) {
      const [old, fresh] = [before, now].map((html) => textOf(html).trim());
      if (old && this.area.value.includes(old)) this.area.value = this.area.value.replace(old, () => fresh);
      else if (!old && fresh) this.area.value += `\n\n${fresh}`;
    } else this.ready.then(() => this.port.postMessage({ kind: "sign", before, now }));
  }

  /** HTML where the cursor stands; its words where the message is plain. */
  put(html) {
    if (this.plain) this.area.setRangeText(textOf(html.replaceAll("</div>", "\n</div>")), this.area.selectionStart, this.area.selectionEnd, "end");
    else this.ready.then(() => this.port.postMessage({ kind: "put", html }));
  }

  /** Words of another app where the cursor stands: text, whatever is in them. */
  putText(text) {
    if (!text) return;
    const lines = text.split("\n").map((line) => Object.assign(document.createElement("div"), { textContent: line }));
    this.put(lines.map((line) => (line.textContent ? line.outerHTML : "<div><br></div>")).join(""));
  }

  insertPicture(cid, file) {
    this.port.postMessage({ kind: "insert", cid, blob: file, name: file.name });
  }

  focus() {
    if (this.plain) this.area.focus();
    else {
      this.frame.focus();
      this.port?.postMessage({ kind: "focus" });
    }
  }

  draw() {
    this.composer.element.classList.toggle("is-plain", this.plain);
    this.area.hidden = !this.plain;
    if (this.frame) this.frame.hidden = this.plain;
    this.strip.hidden = this.plain || one("[data-toggle-format]", this.composer.element).getAttribute("aria-pressed") === "false";
    one("[data-toggle-format]", this.composer.element).disabled = this.plain;
    this.plainButton.setAttribute("aria-pressed", String(this.plain));
  }

  async toggle() {
    if (this.plain) {
      const html = this.area.value.split("\n").map(paragraph).join("");
      this.plain = false;
      this.source.value = html;
      if (this.frame) this.port.postMessage({ kind: "set", html });
      else this.ready = this.load();
    } else {
      this.area.value = (await this.read()).text.trimEnd();
      this.plain = true;
    }
    this.plainButton.closest("details").open = false;
    this.draw();
    await this.ready;
    this.focus();
    this.composer.changed();
  }

  toggleStrip(button) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    this.draw();
  }

  format(what) {
    if (what === "link" && one('[data-format-do="link"]', this.strip).getAttribute("aria-pressed") !== "true") {
      const box = one(".link-box", this.composer.element);
      box.hidden = false;
      one("input", box).focus();
      return;
    }
    this.do(what);
  }

  do(what, value) {
    this.frame.focus();
    this.port.postMessage({ kind: "do", what, value });
  }

  link() {
    const box = one(".link-box", this.composer.element);
    const typed = one("input", box).value.trim();
    box.hidden = true;
    one("input", box).value = "";
    if (!typed) return this.focus();
    const mail = /^[^\s/:@]+@[^\s/:@]+$/.test(typed);
    this.do("link", /^(https?|mailto|tel):/i.test(typed) ? typed : mail ? `mailto:${typed}` : `https://${typed}`);
  }

  linkKeys(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") one("input", event.currentTarget).value = "";
    this.link();
  }

  /** A toolbar is one stop for Tab; the arrows move inside it. */
  arrows() {
    const buttons = all("button, input", this.strip);
    buttons.forEach((button, at) => (button.tabIndex = at ? -1 : 0));
    this.strip.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || !buttons.includes(event.target)) return;
      const next = buttons.at((buttons.indexOf(event.target) + step) % buttons.length);
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      event.preventDefault();
    });
  }
}

function textOf(html) {
  const body = new DOMParser().parseFromString(html.replaceAll("<br>", "\n").replaceAll("</p>", "\n</p>"), "text/html").body;
  return body.textContent.replaceAll("\u00a0", " ");
}

function paragraph(line) {
  const element = document.createElement("p");
  if (line) element.textContent = line;
  else element.append(document.createElement("br"));
  return element.outerHTML;
}
