// A text of the settings, a signature or a template: the editor of the composer in place of the text field, which stays
// for those without it. `data-rich` names the fields for text and HTML.
import { all, icon, one } from "./page.js";
import { toast } from "./toasts.js";

const TOOLS = ["bold", "italic", "link"];

class Signature {
  constructor(form) {
    this.form = form;
    const [text, html] = (form.dataset.rich ?? "signature signature_html").split(" ");
    this.area = form.elements[text];
    this.html = form.elements[html];
    this.frame = document.createElement("iframe");
    Object.assign(this.frame, { className: "signature-frame", title: one(`label[for="${this.area.id}"]`).textContent.trim(), src: "/compose/editor/" });
    this.frame.setAttribute("sandbox", "allow-scripts");
    this.frame.addEventListener("load", () => this.open());
    this.area.after(this.frame);
    this.area.hidden = true;
    form.addEventListener("submit", (event) => this.submitted(event));
  }

  open() {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    port1.onmessage = ({ data }) => this.hear(data);
    const html = this.html.value || this.area.value.split("\n").map(paragraph).join("");
    this.frame.contentWindow.postMessage({ kind: "open", html, theme: document.documentElement.dataset.theme ?? "system", quiet: true }, "*", [port2]);
    this.tools();
    this.showPictures();
  }

  /** Pictures are fetched by this page and handed in: the editor's document can ask nobody for them. */
  async showPictures() {
    for (const [cid, url] of Object.entries(JSON.parse(this.form.dataset.pictures || "{}"))) {
      if (!this.html.value.includes(`cid:${cid}`)) continue;
      const answer = await fetch(url).catch(() => null);
      const blob = answer?.ok && (await answer.blob());
      if (blob?.type.startsWith("image/")) this.port.postMessage({ kind: "picture", cid, blob });
    }
  }

  hear(data) {
    if (data.kind === "changed") this.changed = true;
    if (data.kind === "got") this.got?.(data);
    if (data.kind === "formats") for (const button of all("[data-tool]", this.form)) button.setAttribute("aria-pressed", String(Boolean(data.formats[button.dataset.tool])));
  }

  tools() {
    const words = this.form.dataset;
    const strip = Object.assign(document.createElement("div"), { className: "format-strip", role: "toolbar" });
    strip.setAttribute("aria-label", words.formatting);
    for (const tool of TOOLS) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "icon-btn small" });
      button.dataset.tool = tool;
      button.setAttribute("aria-label", words[tool]);
      button.setAttribute("aria-pressed", "false");
      button.append(icon(tool));
      button.addEventListener("click", () => this.do(tool, button));
      strip.append(button);
    }
    if (words.upload) strip.append(this.pictureButton(words));
    this.frame.after(strip);
  }

  pictureButton(words) {
    const label = Object.assign(document.createElement("label"), { className: "icon-btn small", title: words.image });
    const field = Object.assign(document.createElement("input"), { type: "file", className: "visually-hidden", accept: "image/png,image/jpeg,image/gif,image/webp" });
    field.setAttribute("aria-label", words.image);
    field.addEventListener("change", async () => {
      const [file] = field.files;
      field.value = "";
      if (file) await this.upload(file, words);
    });
    label.append(field, icon("image"));
    return label;
  }

  async upload(file, words) {
    const data = new FormData();
    data.set("csrfmiddlewaretoken", this.form.elements.csrfmiddlewaretoken.value);
    data.set("file", file);
    const answer = await fetch(words.upload, { method: "POST", body: data, headers: { Accept: "application/json" } }).catch(() => null);
    const told = answer?.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : {};
    if (!told.cid) return toast({ text: told.error ?? words.failed });
    this.port.postMessage({ kind: "insert", cid: told.cid, blob: file, name: file.name });
  }

  do(tool, button) {
    const on = button.getAttribute("aria-pressed") === "true";
    if (tool === "link" && !on) return this.ask();
    this.tell(tool);
  }

  tell(tool, value) {
    this.frame.focus();
    this.port.postMessage({ kind: "do", what: tool, value });
  }

  /** The address of a link, in a field below the buttons. */
  ask() {
    one(".link-box", this.form)?.remove();
    const box = Object.assign(document.createElement("div"), { className: "link-box" });
    const field = Object.assign(document.createElement("input"), { className: "input small", type: "url", inputMode: "url", placeholder: "https://" });
    field.setAttribute("aria-label", this.form.dataset.address);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn small", textContent: this.form.dataset.apply });
    const done = () => {
      const typed = field.value.trim();
      box.remove();
      if (typed) this.tell("link", /^(https?|mailto|tel):/i.test(typed) ? typed : `https://${typed}`);
    };
    button.addEventListener("click", done);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") (event.preventDefault(), done());
      if (event.key === "Escape") box.remove();
    });
    box.append(field, button);
    one(".format-strip", this.form).after(box);
    field.focus();
  }

  /** The form goes once it holds what the editor does. */
  async submitted(event) {
    if (this.ready || !this.port) return;
    event.preventDefault();
    const answer = await new Promise((resolve) => {
      this.got = resolve;
      this.port.postMessage({ kind: "get", id: 1 });
    });
    if (this.changed || this.html.value) {
      this.html.value = answer.html;
      this.area.value = answer.text.trim();
    }
    this.ready = true;
    this.form.requestSubmit();
  }
}

function paragraph(line) {
  const element = document.createElement("p");
  if (line) element.textContent = line;
  else element.append(document.createElement("br"));
  return element.outerHTML;
}

for (const form of all("form[data-signed]")) new Signature(form);
