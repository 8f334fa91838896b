// Inside the editor's document, which has an origin of its own: Squire, with DOMPurify before anything goes in.
// It talks to the composer through one port and knows nothing else: no cookies, no addresses, no storage.
(() => {
  const root = document.getElementById("text");
  const CLEAN = {
    RETURN_DOM_FRAGMENT: true,
    ALLOW_DATA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?|mailto|tel|cid):/i,
    FORBID_TAGS: ["style", "form", "input", "textarea", "select", "option", "button", "label", "fieldset", "dialog", "video", "audio", "source", "track", "svg", "math", "template", "slot", "marquee"],
    FORBID_ATTR: ["id", "name", "class", "srcset", "background", "slot", "autofocus", "tabindex", "contenteditable"],
  };
  const pictures = new Map(); // what a picture's address in the message shows here
  let port = null;
  let editor = null;

  const tell = (kind, more = {}) => port?.postMessage({ kind, ...more });

  /** Pictures keep their address for the message, but nothing is asked for from here. */
  function inward(html) {
    const fragment = DOMPurify.sanitize(html, CLEAN);
    for (const image of fragment.querySelectorAll("img")) {
      image.dataset.src = image.getAttribute("src") ?? "";
      if (pictures.has(image.dataset.src)) image.src = pictures.get(image.dataset.src);
      else image.removeAttribute("src");
    }
    return document.importNode(fragment, true);
  }

  function outward() {
    const copy = new DOMParser().parseFromString(editor.getHTML(), "text/html").body;
    for (const image of copy.querySelectorAll("img")) {
      const source = image.dataset.src;
      for (const name of ["src", "data-src"]) image.removeAttribute(name);
      if (source) image.setAttribute("src", source);
      else image.remove();
    }
    return copy.innerHTML;
  }

  function formats() {
    const has = (tag) => editor.hasFormat(tag);
    return { bold: has("B") || has("STRONG"), italic: has("I") || has("EM"), underline: has("U"), list: has("UL"), numbers: has("OL"), quote: has("BLOCKQUOTE"), link: has("A") };
  }

  const DO = {
    bold: (on) => (on ? editor.removeBold() : editor.bold()),
    italic: (on) => (on ? editor.removeItalic() : editor.italic()),
    underline: (on) => (on ? editor.removeUnderline() : editor.underline()),
    list: (on) => (on ? editor.removeList() : editor.makeUnorderedList()),
    numbers: (on) => (on ? editor.removeList() : editor.makeOrderedList()),
    quote: (on) => (on ? editor.decreaseQuoteLevel() : editor.increaseQuoteLevel()),
    clear: () => editor.removeAllFormatting(),
    link: (on, address) => (address ? editor.makeLink(address) : editor.removeLink()),
  };

  /** The picture comes as octets and is shown from here: this document can ask nobody for it. */
  function picture(cid, blob) {
    pictures.set(`cid:${cid}`, URL.createObjectURL(blob));
    return pictures.get(`cid:${cid}`);
  }

  const HEARD = {
    picture: ({ cid, blob }) => {
      const url = picture(cid, blob);
      for (const image of root.querySelectorAll("img")) if (image.dataset.src === `cid:${cid}`) image.src = url;
    },
    insert: ({ cid, blob, name }) => {
      editor.insertImage(picture(cid, blob), { "data-src": `cid:${cid}`, alt: name });
      tell("changed");
    },
    get: ({ id }) => tell("got", { id, html: outward(), text: root.innerText }),
    set: ({ html }) => editor.setHTML(html),
    put: ({ html }) => {
      editor.insertHTML(html);
      tell("changed");
    },
    sign: ({ before, now }) => {
      const signature = (html) => [...inward(html).children].find((child) => child.tagName === "DIV");
      const [old, fresh] = [signature(before), signature(now)];
      const words = (node) => node.textContent.replace(/\s+/g, "");
      const standing = old && [...root.children].find((child) => words(child) === words(old));
      if (standing && fresh) standing.replaceWith(fresh);
      else if (standing) standing.remove();
      else if (fresh && !old) root.insertBefore(fresh, [...root.children].find((child) => child.tagName === "BLOCKQUOTE")?.previousElementSibling ?? null);
      tell("changed");
    },
    do: ({ what, value }) => {
      editor.focus();
      DO[what]?.(formats()[what], value);
      tell("formats", { formats: formats() });
    },
    focus: ({ start }) => {
      if (start) editor.moveCursorToStart();
      editor.focus();
    },
  };

  function start(html) {
    editor = new Squire(root, { blockTag: "P", sanitizeToDOMFragment: inward, didError: () => {} });
    editor.setKeyHandler("Ctrl-Enter", (_self, event) => (event.preventDefault(), tell("key", { key: "send" })));
    editor.setKeyHandler("Meta-Enter", (_self, event) => (event.preventDefault(), tell("key", { key: "send" })));
    editor.setKeyHandler("Ctrl-k", (_self, event) => (event.preventDefault(), tell("key", { key: "link" })));
    editor.setKeyHandler("Escape", (_self, event) => (event.preventDefault(), tell("key", { key: "close" })));
    editor.setHTML(html);
    let last = "";
    // Squire tells of its own filling too, in a microtask; only what a person changes counts.
    setTimeout(() => {
      const untouched = outward();
      let touched = false;
      editor.addEventListener("input", () => {
        touched ||= outward() !== untouched;
        if (touched) tell("changed");
      });
      tell("ready");
    });
    editor.addEventListener("pathChange", () => {
      const now = formats();
      if (JSON.stringify(now) !== last) tell("formats", { formats: now });
      last = JSON.stringify(now);
    });
    editor.addEventListener("pasteImage", (event) => files(event.detail.clipboardData));
    editor.moveCursorToStart();
  }

  function files(data) {
    const found = [...(data?.files ?? [])];
    if (found.length) tell("files", { files: found });
  }

  addEventListener("dragenter", (event) => event.dataTransfer?.types.includes("Files") && tell("drag"));
  addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
  addEventListener(
    "drop",
    (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      files(event.dataTransfer);
    },
    true,
  );
  addEventListener("focus", () => tell("focus"));

  addEventListener("message", (event) => {
    if (event.source !== parent || port || event.data?.kind !== "open") return;
    port = event.ports[0];
    document.documentElement.dataset.theme = event.data.theme;
    start(event.data.html);
    port.onmessage = ({ data }) => HEARD[data.kind]?.(data);
  });
})();
