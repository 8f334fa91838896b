// One message being written: saves itself, keeps an unsaved copy on the device, sends, and behaves as a window.
import { Body } from "./composer_body.js";
import { Recipients } from "./composer_people.js";
import { all, icon, one } from "./page.js";
import { renewed } from "./session.js";
import { toast } from "./toasts.js";
import { Uploads } from "./upload.js";

const SAVE_AFTER_MS = 2000;
const KEEP_AFTER_MS = 400;
const RETRY_MS = 8000;
const HEADERS = ["to", "cc", "bcc", "subject"];
const MANY = 20; // people in To and Cc, above which a person is asked whether they may see each other
const KEPT = ["draft", "revision", "mode", "original", "identity", "sender", "receipt", "report", "remind_days", ...HEADERS];

const field = (input) => (input.type === "checkbox" ? (input.checked ? "1" : "") : input.value);
const setField = (input, value) => (input.type === "checkbox" ? (input.checked = value === "1") : (input.value = value));

export class Composer {
  constructor(element, { kept, quiet = false }) {
    this.element = element;
    this.form = one("form", element);
    this.words = element.dataset;
    this.whole = element.classList.contains("whole");
    this.back = document.activeElement;
    this.changes = 0; // counted up by typing; a save is complete when it began at the count it ends with
    this.saved = 0;
    this.working = Promise.resolve();
    this.closed = false;
    this.key = `unsaved:${one("#composers")?.dataset.person ?? ""}:${crypto.randomUUID?.() ?? Math.random()}`;
    if (kept) this.fill(kept.fields);
    this.people = HEADERS.slice(0, 3).map((name) => new Recipients(this.form.elements[name], { address: this.words.people, remove: this.words.remove, changed: () => this.changed() }));
    this.body = new Body(this);
    this.uploads = new Uploads(this);
    this.listen();
    this.name();
    one("[data-full]", element)?.setAttribute("aria-pressed", String(element.classList.contains("full")));
    one("[data-minimise]", element)?.setAttribute("aria-expanded", String(!element.classList.contains("small")));
    this.focusFirst(quiet);
    if (kept) this.changed();
  }

  listen() {
    const { form, element } = this;
    form.addEventListener("input", () => this.changed());
    form.addEventListener("change", () => this.changed());
    form.addEventListener("submit", (event) => this.submitted(event));
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("composer:show", () => this.show());
    form.elements.subject.addEventListener("input", () => this.title());
    this.from = form.elements.identity.selectedOptions[0];
    form.elements.identity.addEventListener("change", () => this.writesAs());
    for (const button of all("[data-show]", element)) button.addEventListener("click", () => this.reveal(button.dataset.show));
    one("[data-close]", element).addEventListener("click", (event) => (event.preventDefault(), this.close()));
    one("[data-minimise]", element)?.addEventListener("click", () => this.minimise());
    one("[data-full]", element)?.addEventListener("click", (event) => this.full(event.currentTarget));
    one("[data-save-now]", element).addEventListener("click", () => (this.changes++, this.save()));
    one(".composer-head", element).addEventListener("click", (event) => element.classList.contains("small") && !event.target.closest("button") && this.minimise());
    for (const button of all("[data-toggle]", element)) button.addEventListener("click", () => this.toggle(button));
    one("[data-merge]", element).addEventListener("click", (event) => this.merge(event.currentTarget.dataset.merge));
    for (const button of all("[data-remind]", element)) button.addEventListener("click", () => this.remind(button));
    for (const button of all("[data-template]", element)) button.addEventListener("click", () => this.putIn(button));
    one("[data-to-bcc]", element).addEventListener("click", () => this.toBcc());
    this.leaving = () => this.orphan();
    addEventListener("pagehide", this.leaving);
    this.signingOut = (event) => this.beforeSignOut(event);
    document.addEventListener("submit", this.signingOut);
    this.online = () => this.saved !== this.changes && this.save();
    addEventListener("online", this.online);
    this.hidden = () => document.visibilityState === "hidden" && this.saved !== this.changes && this.save();
    document.addEventListener("visibilitychange", this.hidden);
  }

  fill(fields) {
    for (const name of KEPT) if (fields[name] !== undefined && this.form.elements[name]) setField(this.form.elements[name], fields[name]);
    this.form.elements.html.value = fields.html ?? "";
    this.form.elements.text.value = fields.text ?? "";
    this.form.elements.format.dataset.format = fields.format;
    for (const name of ["cc", "bcc"]) if (fields[name]) this.reveal(name, false);
    this.title();
  }

  /** A template where the cursor stands, filled in for the first recipient; its subject where there is none yet. */
  async putIn(button) {
    button.closest("details").open = false;
    for (const people of this.people) people.settle();
    const { to, subject } = this.form.elements;
    const answer = await fetch(`${button.dataset.template}?${new URLSearchParams({ to: to.value })}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return toast({ text: this.words.lost });
    const found = await answer.json();
    if (!subject.value.trim() && found.subject) (subject.value = found.subject), this.title();
    this.body.put(found.html);
    this.changed();
  }

  /** What another app shared: a title, a text, an address, files. */
  async takeUp({ words, files }) {
    const { subject } = this.form.elements;
    if (words.title && !subject.value.trim()) (subject.value = words.title.replace(/\s+/g, " ")), this.title();
    await this.body.ready;
    this.body.putText([words.text, words.url].filter(Boolean).join("\n"));
    this.uploads.add(files);
    this.changed();
  }

  /** A wish that is there or not: a receipt, a report of delivery. */
  toggle(button) {
    const field = this.form.elements[button.dataset.toggle];
    field.checked = !field.checked;
    button.setAttribute("aria-pressed", String(field.checked));
    button.closest("details").open = false;
    this.changed();
  }

  /** The text is saved and goes on where a table is laid beside it. */
  async merge(address) {
    for (const people of this.people) people.settle();
    await this.uploads.done();
    const draft = await this.draft();
    if (!draft || !(await this.save())) return;
    this.end();
    location.assign(address.replace("/0/", `/${draft}/`));
  }

  remind(button) {
    this.form.elements.remind_days.value = button.dataset.remind;
    for (const other of all("[data-remind]", this.element)) other.setAttribute("aria-pressed", String(other === button));
    button.closest("details").open = false;
    this.changed();
  }

  /** Everybody into the field whose people do not see each other. */
  toBcc() {
    const { to, cc, bcc } = this.form.elements;
    bcc.value = [to.value, cc.value, bcc.value].filter((list) => list.trim()).join(", ");
    for (const field of [to, cc]) field.value = "";
    for (const people of this.people) people.draw();
    this.reveal("bcc", false);
    this.ask("");
    this.changed();
    one(".send", this.element).focus();
  }

  /** Another address to write from: its signature and its blind copy take the place of the one before. */
  writesAs() {
    const [before, now] = [this.from, this.form.elements.identity.selectedOptions[0]];
    this.from = now;
    this.body.sign(before?.dataset.signature ?? "", now.dataset.signature ?? "");
    if (this.form.elements.bcc.value.trim() === (before?.dataset.bcc ?? "") && before?.dataset.bcc !== now.dataset.bcc) {
      this.form.elements.bcc.value = now.dataset.bcc ?? "";
      this.people[2].draw();
      if (now.dataset.bcc) this.reveal("bcc", false);
    }
    const sender = this.form.elements.sender;
    if (!sender) return;
    sender.value = "";
    one('[data-line="sender"]', this.element).classList.toggle("shown", "any" in now.dataset);
  }

  focusFirst(quiet) {
    if (quiet || this.closed) return;
    const first = ["to", "subject"].find((name) => !this.form.elements[name].value);
    if (first === "to") this.people[0].focus();
    else if (first) this.form.elements.subject.focus();
    else this.body.ready.then(() => this.closed || this.body.focus()); // the fields are there before the editor is
  }

  title() {
    one(".composer-title", this.element).textContent = this.form.elements.subject.value.trim() || this.words.new;
    this.name();
  }

  /** Windows of the same title are told apart by a number that only assistive technology hears. */
  name() {
    if (this.whole) return;
    const words = one(".composer-title", this.element).textContent;
    const others = all("#composers [data-composer]").filter((other) => other !== this.element && other.getAttribute("aria-label")?.startsWith(words));
    this.element.removeAttribute("aria-labelledby");
    this.element.setAttribute("aria-label", others.length ? `${words} (${others.length + 1})` : words);
  }

  reveal(name, focus = true) {
    one(`[data-line="${name}"]`, this.element).classList.add("shown");
    one(`[data-show="${name}"]`, this.element).hidden = true;
    if (focus) this.people[HEADERS.indexOf(name)].focus();
  }

  // Saving

  changed() {
    if (this.closed) return;
    this.changes += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), SAVE_AFTER_MS);
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), KEEP_AFTER_MS);
  }

  async fields() {
    const { html, text, plain } = await this.body.read();
    const data = new FormData();
    for (const name of ["csrfmiddlewaretoken", ...KEPT]) if (this.form.elements[name]) data.set(name, field(this.form.elements[name]));
    data.set("format", plain ? "plain" : "html");
    data.set("html", plain ? "" : html);
    data.set("text", text);
    return data;
  }

  /** The copy on this device, until the server has the text. */
  async keep() {
    const data = await this.fields();
    data.delete("csrfmiddlewaretoken");
    if (this.closed || this.saved === this.changes) return;
    try {
      localStorage.setItem(this.key, JSON.stringify({ at: Date.now(), fields: Object.fromEntries(data) }));
    } catch {
      // no room or no storage: the server's copy is two seconds away
    }
  }

  /** The page goes: the next one takes up the unsaved copy at once, or opens the saved draft again. */
  orphan() {
    const shape = ["small", "full"].find((name) => this.element.classList.contains(name)) ?? "";
    const draft = this.form.elements.draft.value;
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      if (kept) return localStorage.setItem(this.key, JSON.stringify({ ...kept, shape, at: 0 }));
      if (!draft || this.whole) return;
      const noted = JSON.parse(sessionStorage.getItem("composers") ?? "[]");
      sessionStorage.setItem("composers", JSON.stringify([...noted, { draft, shape }]));
    } catch {
      // no storage: the draft waits in its folder
    }
  }

  /** Signing out empties this device's storage, so the text goes to the server first. */
  async beforeSignOut(event) {
    const out = event.target.getAttribute("action")?.includes("/signout/");
    if (!out || event.defaultPrevented || this.saved === this.changes) return;
    event.preventDefault();
    await this.save();
    event.target.requestSubmit();
  }

  forget() {
    clearTimeout(this.keeping);
    try {
      localStorage.removeItem(this.key);
    } catch {
      // nothing was kept
    }
  }

  /** One request after another, so that each names the revision that the one before it made. */
  queue(work) {
    this.working = this.working.then(work, work);
    return this.working;
  }

  save() {
    clearTimeout(this.timer);
    return this.queue(async () => {
      if (this.closed || this.saved === this.changes) return true;
      const upTo = this.changes;
      this.state(this.words.saving);
      const answer = await this.post("save");
      if (!answer) return false;
      this.took(answer, upTo);
      return true;
    });
  }

  /** Makes sure there is a draft that files can be tied to. */
  async draft() {
    if (!this.form.elements.draft.value) {
      this.changes += 1;
      await this.save();
    }
    return this.form.elements.draft.value;
  }

  async post(what, { again = false } = {}) {
    const data = await this.fields();
    data.set("do", what);
    let answer;
    try {
      answer = await fetch(this.form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
    } catch {
      return this.unsaved(this.words.lost);
    }
    if (answer.status === 404 && this.orphaned()) return this.post(what);
    if (answer.status === 403 && !again && (await renewed())) return this.post(what, { again: true });
    const told = answer.headers.get("Content-Type")?.startsWith("application/json");
    if (answer.redirected || answer.status === 403) return this.unsaved(this.words.signedOut);
    if (!told) return this.unsaved(this.words.unsaved);
    return answer.json();
  }

  /** The draft is gone, with its account perhaps: what is typed goes on as a new message. False when it was new. */
  orphaned() {
    const { draft, original, revision, mode } = this.form.elements;
    if (!draft.value && !original.value) return false;
    draft.setAttribute("value", "");
    for (const field of [draft, original, revision, mode]) field.value = "";
    return true;
  }

  unsaved(words) {
    this.state(words, "warn");
    this.keep();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), RETRY_MS);
    return null;
  }

  took(answer, upTo) {
    this.errors(answer.errors ?? {});
    if (!answer.draft) return this.state(this.words.unsaved, "warn"); // the fields say why; the copy on the device stays
    this.form.elements.draft.value = answer.draft;
    this.form.elements.draft.setAttribute("value", answer.draft);
    this.form.elements.revision.value = answer.revision;
    this.saved = upTo;
    if (this.saved === this.changes) this.forget();
    this.state(this.words.saved.replace("%s", answer.saved_at), "check");
    if (answer.kept_beside) toast({ text: this.words.beside });
    this.uploads.show(answer.uploads);
  }

  state(text, mark) {
    const place = one(".composer-state", this.element);
    place.replaceChildren(...(mark ? [icon(mark === "warn" ? "alert" : "check")] : []), Object.assign(document.createElement("span"), { textContent: text }));
    place.classList.toggle("warn", mark === "warn");
  }

  errors(found) {
    for (const place of all("[data-error]", this.element)) {
      const words = found[place.dataset.error] ?? (place.dataset.error === "" ? found.__all__ ?? found.html : "") ?? "";
      place.hidden = !words;
      one("span", place).textContent = words;
      const field = place.dataset.error && this.form.elements[place.dataset.error];
      if (field?.setAttribute) field.setAttribute("aria-invalid", String(Boolean(words)));
    }
    for (const name of ["cc", "bcc"]) if (found[name]) this.reveal(name, false);
    for (const people of this.people) people.mark();
  }

  // Sending and the rest of the buttons

  submitted(event) {
    const what = event.submitter?.value ?? "save";
    event.preventDefault();
    if (what === "send") this.send();
    else if (what.startsWith("schedule")) this.send({ how: what === "schedule" ? `schedule:${this.form.elements.send_at.value}` : what });
    else if (what === "discard") this.discard();
    else if (what.startsWith("remove:")) this.uploads.remove(what.slice(7));
    else if (what === "save") (this.changes++, this.save());
  }

  /** `how`: "send", or "schedule:" and the local time at which it is to leave. */
  async send({ sure, how = "send" } = {}) {
    if (this.sending) return;
    for (const people of this.people) people.settle();
    const question = !sure && (await this.question());
    if (question) return this.ask(question, how);
    this.ask("");
    this.busy(true);
    await this.uploads.done();
    clearTimeout(this.timer);
    const answer = await this.queue(() => this.post(how));
    this.busy(false);
    if (!answer) return;
    if (!answer.sent) {
      this.took(answer, this.changes);
      one('[aria-invalid="true"]:not([hidden])', this.form)?.focus();
      return;
    }
    const said = { ...answer, until: Date.now() + answer.seconds * 1000 };
    this.end();
    if (this.whole) {
      sessionStorage.setItem("sent", JSON.stringify(said));
      location.assign(this.words.home);
    } else document.body.dispatchEvent(new CustomEvent("mailroom:sent", { detail: said }));
  }

  busy(on) {
    this.sending = on;
    one(".send", this.element).setAttribute("aria-disabled", String(on));
  }

  /** What a person may have forgotten, as a question; "" when there is nothing to ask. */
  async question() {
    if (!this.form.elements.subject.value.trim()) return this.words.emptySubject;
    const seen = this.people[0].entries.length + this.people[1].entries.length;
    if (seen > MANY) return this.words.many.replace("%s", seen);
    const { text } = await this.body.read();
    const written = text.split(/^(?:>|On .{6,80}:$)/m)[0].toLowerCase();
    const promised = this.words.attachmentWords.split("|").some((word) => written.includes(word));
    return promised && !one(".upload", this.element) ? this.words.noAttachment : "";
  }

  ask(question, how) {
    const place = one(".composer-ask", this.element);
    place.hidden = !question;
    one("p", place).textContent = question;
    one("[data-to-bcc]", place).hidden = this.people[0].entries.length + this.people[1].entries.length <= MANY;
    if (!question) return;
    for (const menu of all("details[data-menu][open]", this.element)) menu.open = false;
    const button = one("[data-anyway]", place);
    button.onclick = () => this.send({ sure: true, how });
    button.focus();
  }

  async discard() {
    clearTimeout(this.timer);
    const had = this.form.elements.draft.value;
    const answer = had ? await this.queue(() => this.post("discard")) : { undo_url: "", text: "" };
    if (!answer) return;
    this.end();
    if (this.whole) location.assign(this.words.home);
    else if (had) toast({ text: answer.text, undo_url: answer.undo_url });
  }

  // The window

  pressed(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape" && !event.defaultPrevented) {
      event.stopPropagation();
      this.escape();
    } else if (event.key.toLowerCase() === "c" && event.shiftKey && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.reveal("cc");
    }
  }

  /** Escape closes a menu of the window first, then the window. */
  escape() {
    const menus = all("details[data-menu][open]", this.element);
    if (!menus.length) return this.close();
    for (const menu of menus) menu.open = false;
    return one("summary", menus.at(-1)).focus();
  }

  /** The draft stays; only when it could not be saved does the window stay too. */
  async close() {
    for (const people of this.people) people.settle();
    await this.uploads.done();
    if (!(await this.save()) || this.saved !== this.changes) return;
    this.end();
    if (this.whole) location.assign(this.words.home);
  }

  end() {
    this.closed = true;
    clearTimeout(this.timer);
    this.forget();
    removeEventListener("pagehide", this.leaving);
    document.removeEventListener("submit", this.signingOut);
    removeEventListener("online", this.online);
    document.removeEventListener("visibilitychange", this.hidden);
    if (this.whole) return;
    this.element.remove();
    if (this.back?.isConnected) this.back.focus({ preventScroll: true });
  }

  minimise() {
    const small = this.element.classList.toggle("small");
    one("[data-minimise]", this.element)?.setAttribute("aria-expanded", String(!small));
    if (!small) this.body.focus();
  }

  show() {
    if (this.element.classList.contains("small")) this.minimise();
    else this.body.focus();
  }

  full(button) {
    const on = this.element.classList.toggle("full");
    button.setAttribute("aria-pressed", String(on));
  }
}
