// Files of a composer: each goes up by its own request with its own progress, one after another, and can be taken off.
import { all, icon, one } from "./page.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const size = (octets) => {
  if (octets < 1000) return `${octets} B`;
  let value = octets / 1000;
  for (const unit of ["KB", "MB", "GB"]) {
    if (value < 999.5 || unit === "GB") return `${value < 10 && unit !== "KB" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1000;
  }
};
const cut = (text, longest = 28) => (text.length <= longest ? text : `${text.slice(0, longest - 11).trimEnd()}…${text.slice(-10)}`);

export class Uploads {
  constructor(composer) {
    this.composer = composer;
    this.list = one(".uploads", composer.element);
    this.running = Promise.resolve();
    const input = one("[data-upload-input]", composer.element);
    input.addEventListener("change", (event) => {
      event.stopPropagation();
      this.add([...input.files]);
      input.value = "";
    });
    input.addEventListener("input", (event) => event.stopPropagation());
    const pictures = one("[data-picture-input]", composer.element);
    pictures.addEventListener("change", (event) => {
      event.stopPropagation();
      this.add([...pictures.files], { inText: true });
      pictures.value = "";
    });
    pictures.addEventListener("input", (event) => event.stopPropagation());
    this.listen(composer.element);
  }

  listen(element) {
    const files = (event) => event.dataTransfer?.types.includes("Files");
    element.addEventListener("dragenter", (event) => files(event) && this.dragging(true));
    element.addEventListener("dragover", (event) => files(event) && event.preventDefault());
    element.addEventListener("dragleave", (event) => !element.contains(event.relatedTarget) && this.dragging(false));
    element.addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      this.dragging(false);
      this.add([...event.dataTransfer.files]);
    });
    element.addEventListener("paste", (event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      this.add([...event.clipboardData.files]);
    });
  }

  dragging(on) {
    one(".composer-drop", this.composer.element).hidden = !on;
  }

  done() {
    return this.running;
  }

  /** `inText`: they were dropped or pasted into the text, where pictures belong and other files are attached. */
  add(files, { inText = false } = {}) {
    this.dragging(false);
    const refused = this.tooLarge(files);
    if (refused) return this.composer.errors({ attachments: refused });
    for (const file of files) {
      const inline = inText && PICTURES.includes(file.type);
      const item = this.entry({ name: file.name, size: file.size, kind: file.type.startsWith("image/") ? "image" : "file" });
      this.list.append(item);
      this.running = this.running.then(() => this.send(file, item, inline));
    }
  }

  /** Why nobody would take the message with these files, before any of them goes up; "" where there is no reason. */
  tooLarge(files) {
    const { limit, host } = this.composer.form.elements.identity.selectedOptions[0]?.dataset ?? {};
    const { most, mostWords } = this.composer.words;
    const there = all("li", this.list).reduce((sum, item) => sum + Number(item.dataset.size), 0);
    const octets = files.reduce((sum, file) => sum + file.size, there);
    if (octets > Number(most)) return mostWords;
    if (!Number(limit)) return "";
    const whole = Math.ceil((octets * 78) / 57); // base64 in lines, RFC 2045 section 6.8
    if (whole <= Number(limit)) return "";
    const told = [size(whole), host, size(Number(limit))];
    return told.reduce((words, value) => words.replace("%s", value), this.composer.words.tooLarge);
  }

  async send(file, item, inline) {
    if (item.dataset.stopped) return;
    const draft = await this.composer.draft();
    const answer = draft ? await this.post(draft, file, item, inline) : null;
    if (answer?.errors?.attachments || !answer?.uploads) {
      item.remove();
      const words = answer?.errors?.attachments ?? this.composer.words.failed.replace("%s", file.name);
      return this.composer.errors({ attachments: words });
    }
    if (inline) {
      item.remove();
      this.composer.body.insertPicture(answer.uploads.findLast((upload) => upload.cid).cid, file);
      return this.composer.errors({});
    }
    const known = new Set(all("[data-upload]", this.list).map((one) => one.dataset.upload));
    const fresh = answer.uploads.find((upload) => !upload.cid && !known.has(String(upload.id)) && upload.name && upload.size === file.size) ?? answer.uploads.at(-1);
    this.finish(item, fresh);
    this.composer.errors({});
    this.composer.changed();
  }

  /** XMLHttpRequest, because fetch tells nothing of what has gone up so far. */
  post(draft, file, item, inline) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const data = new FormData();
      data.set("csrfmiddlewaretoken", this.composer.form.elements.csrfmiddlewaretoken.value);
      data.append("files", file, file.name || "picture.png");
      if (inline) data.set("inline", "1");
      request.open("POST", this.composer.words.files.replace("/0/", `/${draft}/`));
      request.setRequestHeader("Accept", "application/json");
      request.responseType = "json";
      request.upload.addEventListener("progress", (event) => this.progress(item, event.loaded, event.total));
      request.addEventListener("loadend", () => resolve(request.response));
      one("button", item).onclick = () => (request.abort(), item.remove());
      request.send(data);
    });
  }

  progress(item, loaded, total) {
    one("progress", item).max = total;
    one("progress", item).value = loaded;
    one(".meta", item).textContent = this.composer.words.progress.replace("%s", size(loaded)).replace("%s", size(total));
  }

  finish(item, upload) {
    one("progress", item)?.remove();
    item.dataset.upload = upload.id;
    one(".meta", item).textContent = size(upload.size);
    one("button", item).onclick = null;
    one("button", item).type = "submit";
    Object.assign(one("button", item), { name: "do", value: `remove:${upload.id}` });
  }

  /** What the server knows, beside what is still going up. */
  show(uploads) {
    if (!uploads) return;
    uploads = uploads.filter((upload) => !upload.cid); // pictures of the text are seen there
    const known = new Map(uploads.map((upload) => [String(upload.id), upload]));
    for (const item of all("li", this.list)) {
      if (item.dataset.upload && !known.has(item.dataset.upload)) item.remove();
      else if (!item.dataset.upload && !one("progress", item)) item.remove(); // named by a forward before there was a draft
    }
    const shown = new Set(all("[data-upload]", this.list).map((item) => item.dataset.upload));
    for (const upload of uploads) if (!shown.has(String(upload.id)) && !one("progress", this.list)) this.finish(this.list.appendChild(this.entry(upload)), upload);
  }

  entry(file) {
    const item = Object.assign(document.createElement("li"), { className: "upload" });
    item.dataset.size = file.size;
    const thumb = Object.assign(document.createElement("span"), { className: "thumb" });
    thumb.append(icon(file.kind === "image" ? "image" : file.kind === "sheet" ? "sheet" : "file", 18));
    const words = Object.assign(document.createElement("span"), { className: "upload-words" });
    words.append(Object.assign(document.createElement("span"), { className: "file-name", textContent: cut(file.name), title: file.name }), Object.assign(document.createElement("span"), { className: "meta", textContent: size(file.size) }));
    const button = Object.assign(document.createElement("button"), { type: "button", className: "icon-btn small" });
    button.setAttribute("aria-label", this.composer.words.remove.replace("%s", file.name));
    button.append(icon("x", 16));
    button.onclick = () => ((item.dataset.stopped = "1"), item.remove());
    const bar = Object.assign(document.createElement("progress"), { className: "bar", max: 1, value: 0 });
    bar.setAttribute("aria-label", file.name);
    item.append(thumb, words, button, bar);
    return item;
  }

  async remove(id) {
    const draft = this.composer.form.elements.draft.value;
    const item = one(`[data-upload="${CSS.escape(id)}"]`, this.list);
    const data = new FormData();
    data.set("csrfmiddlewaretoken", this.composer.form.elements.csrfmiddlewaretoken.value);
    data.set("remove", id);
    const answer = await fetch(this.composer.words.files.replace("/0/", `/${draft}/`), { method: "POST", body: data, headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.ok || answer?.status === 404) item?.remove();
    this.composer.changed();
  }
}
