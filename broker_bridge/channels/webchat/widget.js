// The panel: what a visitor sees and presses. Everything lives in a shadow root, so that no site's style reaches it.

const script = document.currentScript;
const base = new URL(script.src, location.href).href.replace(/\/widget\.js.*$/, "");
const wanted = [script.dataset.lang, document.documentElement.lang, ...(navigator.languages || [])].filter(Boolean);
const words = wordsFor(wanted);
const isPage = script.dataset.mode === "page";
const title = script.dataset.title || SITE.title;
const SILENT_TYPING_MS = 8000;

class Panel {
  constructor() {
    this.store = openStore(`onewindow:${base}:`);
    if (script.dataset.name) this.store.put("name", script.dataset.name);
    this.isOpen = isPage;
    this.unread = new Set();
    this.plainTitle = document.title;
    this.#build();
    this.thread = new Thread(this.list, words, {
      again: (id) => this.#again(id),
      forget: (id) => this.#forget(id),
      save: (file) => this.#save(file),
      preview: (file) => this.uploads.fetch(file),
      grown: () => this.wasAtEnd && this.#toEnd(),
    });
    this.wire = new Wire(`${base.replace(/^http/, "ws")}/socket`, this.store, this.#listeners());
    this.uploads = new Uploads(base, this.wire, {
      progress: (id, n) => this.thread.fate(id, { key: "uploading", values: { n } }),
      failed: (id, key) => this.#uploadFailed(id, key),
      done: (id, file) => this.#replace({ seq: 0, id, from: "you", text: "", at_ms: Date.now(), files: [file] }, { key: "sending" }),
    });
    for (const item of this.wire.outbox()) this.#showOwn(item);
    this.box.value = this.store.get("draft") || "";
    this.#fit();
    this.#react();
    if (isPage || this.store.get("session")) this.wire.open();
  }

  #build() {
    this.state = el("div", { class: "state" }, words.fill("connecting"));
    this.banner = el("div", { class: "banner", role: "status", hidden: true });
    this.list = el("div", { role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": words.fill("messages"), class: "list" });
    this.nameBox = el("input", { type: "text", maxlength: "80", autocomplete: "name", value: this.store.get("name") || "", onchange: () => this.store.put("name", this.nameBox.value) });
    const greeting = script.dataset.greeting || SITE.greeting || words.fill("greeting");
    this.greet = el("div", { class: "greet" }, el("p", {}, greeting), el("label", {}, words.fill("name"), this.nameBox));
    this.log = el("div", { class: "log", tabindex: "-1", onscroll: () => this.#scrolled() }, this.greet, this.list);
    this.typing = el("div", { class: "typing" });
    this.box = el("textarea", { rows: "1", dir: "auto", enterkeyhint: "send", placeholder: words.fill("placeholder"), "aria-label": words.fill("placeholder") });
    this.sendButton = el("button", { type: "button", class: "send", disabled: true, onclick: () => this.#send() }, words.fill("send"));
    this.picker = el("input", { type: "file", class: "unseen", tabindex: "-1", "aria-hidden": "true", multiple: true, accept: SITE.types.join(",") });
    const attach = el("button", { type: "button", class: "quiet", onclick: () => this.picker.click() }, words.fill("attach"));
    this.hint = el("div", { class: "hint keys" }, words.fill("hint"));
    this.newer = el("button", { type: "button", class: "newer", hidden: true, onclick: () => this.#toEnd() });
    const tools = el("div", { class: "tools" }, attach, this.hint, this.sendButton);
    const compose = el("div", { class: "compose" }, this.newer, this.box, this.picker, tools);
    const head = el("header", { class: "head" }, el("div", {}, el(isPage ? "h1" : "h2", { class: "title" }, title), this.state));
    if (!isPage) head.append(el("button", { type: "button", class: "quiet", onclick: () => this.close() }, words.fill("close")));
    const role = isPage ? { role: "main" } : { role: "dialog", hidden: true };
    this.panel = el("section", { class: "panel", "aria-label": title, ...role }, head, this.banner, this.log, this.typing, compose);
    this.count = el("span", { class: "count", hidden: true });
    this.launch = el("button", { type: "button", class: "launch", hidden: isPage, "aria-expanded": "false", onclick: () => this.open() }, words.fill("open"), this.count);
    this.root = el("div", { class: `root ${isPage ? "page" : "float"}`, lang: words.lang }, this.launch, this.panel);
    this.#hang();
  }

  #hang() {
    const host = el("div", { id: "onewindow-chat" });
    const shadow = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.root);
    document.body.append(host);
    const accent = script.dataset.accent || SITE.accent;
    if (/^#[0-9a-f]{6}$/i.test(accent)) this.#paint(accent);
    if (!isPage) return;
    const ground = new CSSStyleSheet();
    ground.replaceSync("html{background:#fbfaf7;color-scheme:light dark}body{margin:0}@media(prefers-color-scheme:dark){html{background:#12161d}}");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, ground];
    document.documentElement.lang = words.lang;
  }

  /** A site's own color on the buttons; the ink on it is the more readable of black and white. */
  #paint(accent) {
    const part = (at) => { const v = parseInt(accent.slice(at, at + 2), 16) / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    const light = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
    for (const button of [this.launch, this.sendButton, this.newer]) {
      button.style.setProperty("--acc", accent);
      button.style.setProperty("--ink", light > 0.18 ? "#000000" : "#ffffff");
    }
  }

  #react() {
    this.box.addEventListener("input", () => { this.store.put("draft", this.box.value); this.#fit(); this.#tellTyping(); });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.box.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files || [])];
      if (files.length) { event.preventDefault(); this.#attach(files); }
    });
    this.picker.addEventListener("change", () => { this.#attach([...this.picker.files]); this.picker.value = ""; this.box.focus(); });
    this.panel.addEventListener("keydown", (event) => { if (event.key === "Escape" && !isPage) { event.stopPropagation(); this.close(); } });
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("focus", () => this.#look());
    new ResizeObserver(() => this.wasAtEnd && this.#toEnd()).observe(this.log); // the box below it grew
    const view = window.visualViewport;
    if (view) for (const kind of ["resize", "scroll"]) view.addEventListener(kind, () => this.#frame(view));
  }

  #listeners() {
    return {
      state: (state) => this.#showState(state),
      welcome: () => { this.uploads.resume(); this.#look(); },
      message: (message) => this.#message(message),
      sending: (item) => this.thread.has(item.id) || this.#showOwn(item), // written in a tab that is closed or asleep
      acked: (id) => this.thread.fate(id, null),
      waits: (id, code) => this.thread.fate(id, { key: code === "rate" ? "quick" : "later" }),
      refused: (frame) => this.#refused(frame),
      typing: (frame) => this.#showTyping(frame),
      seen: (seq) => this.thread.seen(seq),
      upload: (frame) => this.uploads.granted(frame),
      notice: (key, reason) => this.#showBanner(key ? words.fill(key) : reason),
    };
  }

  open() {
    this.isOpen = true;
    this.panel.hidden = false;
    this.launch.hidden = true;
    this.launch.setAttribute("aria-expanded", "true");
    this.wire.open();
    this.#fit();
    this.#toEnd();
    this.box.focus();
    this.#look();
  }

  close() {
    this.isOpen = false;
    this.panel.hidden = true;
    this.launch.hidden = false;
    this.launch.setAttribute("aria-expanded", "false");
    this.launch.focus();
  }

  #showState(state) {
    const isOffline = state === "offline";
    this.state.textContent = isOffline ? "" : words.fill(state === "live" ? "live" : "connecting");
    this.#showBanner(isOffline ? words.fill("offline") : "");
    if (isOffline) this.#showTyping({ on: false });
    for (const item of this.wire ? this.wire.outbox() : []) {
      if (!item.failed) this.thread.fate(item.id, { key: isOffline ? "waits" : "sending" });
    }
  }

  #showBanner(text) {
    this.banner.textContent = text;
    this.banner.hidden = !text;
  }

  #message(message) {
    this.wasAtEnd = this.#isAtEnd();
    const isNew = message.from === "agent" && message.seq > (this.store.get("seen") || 0);
    const waiting = this.store.get(`out:${message.id}`);
    this.thread.show(message, waiting ? { key: "sending" } : null);
    this.greet.hidden = true;
    if (message.from === "agent") this.#showTyping({ on: false });
    if (isNew) this.unread.add(message.seq);
    if (this.wasAtEnd || message.from === "you") this.#toEnd();
    this.#look();
  }

  #refused(frame) {
    if (this.uploads.waiting.has(frame.id)) return void setTimeout(() => this.uploads.resume(), 1000 * (frame.retry_after_s || 5));
    this.thread.fate(frame.id, { key: "failed", reason: frame.reason, offers: ["again", "remove"] });
  }

  #send() {
    const text = this.box.value.replace(/\s+$/, "");
    if (!text.trim() || [...text].length > SITE.maxText) return;
    this.store.put("name", this.nameBox.value);
    this.#showOwn(this.wire.send({ id: newId(), text }));
    this.box.value = "";
    this.store.drop("draft");
    this.#fit();
    this.#stopTyping();
    this.box.focus();
  }

  #showOwn(item) {
    const fate = item.failed
      ? { key: "failed", reason: item.failed, offers: ["again", "remove"] }
      : { key: this.wire.state === "live" || this.wire.state === "idle" ? "sending" : "waits" };
    const isStored = !this.store.get(`out:${item.id}`);
    this.thread.show({ seq: 0, id: item.id, from: "you", text: item.text, at_ms: item.at_ms, files: item.file ? [item.file] : [] }, isStored ? null : fate);
    this.greet.hidden = true;
    this.#toEnd();
  }

  #attach(files) {
    for (const file of files) {
      const id = newId();
      const shown = { digest: "", name: file.name, media_type: file.type, size_bytes: file.size };
      const objection = this.uploads.objection(file);
      this.thread.show({ seq: 0, id, from: "you", text: "", at_ms: Date.now(), files: [shown] }, { key: "uploading", values: { n: 0 } });
      this.greet.hidden = true;
      if (objection) this.#uploadFailed(id, objection);
      else this.uploads.start(id, file);
    }
    this.#toEnd();
  }

  #uploadFailed(id, key) {
    const reason = words.fill(key, { n: Math.floor(SITE.maxFile / 1048576) });
    const canRetry = key === "upload" && this.uploads.waiting.has(id);
    this.thread.fate(id, { key: "failed", reason, offers: canRetry ? ["again", "remove"] : ["remove"] });
  }

  #replace(message, fate) {
    this.thread.remove(message.id);
    this.thread.show(message, this.store.get(`out:${message.id}`) ? fate : null);
    this.#toEnd();
  }

  #again(id) {
    this.thread.fate(id, { key: "sending" });
    const file = this.uploads.waiting.get(id);
    if (file) this.uploads.start(id, file);
    else this.wire.again(id);
  }

  #forget(id) {
    this.uploads.forget(id);
    this.wire.forget(id);
    this.thread.remove(id);
    this.greet.hidden = this.thread.size > 0;
  }

  async #save(file) {
    const address = await this.uploads.fetch(file);
    if (!address) return this.#say("gone");
    el("a", { href: address, download: clean(file.name) }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  #say(key) {
    this.hint.textContent = words.fill(key);
    this.hint.className = "hint bad";
    setTimeout(() => this.#fit(), 6000);
  }

  #showTyping(frame) {
    clearTimeout(this.typingEnds);
    this.typing.textContent = frame.on ? words.fill("typing", { name: clean(frame.name) || words.fill("us") }) : "";
    if (frame.on) this.typingEnds = setTimeout(() => this.#showTyping({ on: false }), SILENT_TYPING_MS);
  }

  #tellTyping() {
    clearTimeout(this.typingPause);
    if (!this.box.value.trim()) return this.#stopTyping();
    const now = Date.now();
    if (now - (this.typingTold || 0) > 3000) { this.typingTold = now; this.wire.typing(true); }
    this.typingPause = setTimeout(() => this.#stopTyping(), 5000);
  }

  #stopTyping() {
    clearTimeout(this.typingPause);
    if (this.typingTold) this.wire.typing(false);
    this.typingTold = 0;
  }

  /** The height of the box follows its text; the button and the hint follow its length. */
  #fit() {
    this.box.style.height = "auto";
    if (this.box.scrollHeight) this.box.style.height = `${this.box.scrollHeight + 2}px`;
    const length = [...this.box.value].length;
    const over = length - SITE.maxText;
    this.sendButton.disabled = !this.box.value.trim() || over > 0;
    this.hint.textContent = over > 0 ? words.fill("tooMany", { n: over }) : words.fill("hint");
    this.hint.className = over > 0 ? "hint bad" : "hint keys";
  }

  #frame(view) {
    this.root.style.setProperty("--height", `${view.height}px`);
    this.root.style.setProperty("--top", `${view.offsetTop}px`);
    if (this.wasAtEnd) this.#toEnd();
  }

  #isAtEnd() { return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60; }
  #scrolled() { this.wasAtEnd = this.#isAtEnd(); this.#look(); }
  #toEnd() { this.log.scrollTop = this.log.scrollHeight; this.wasAtEnd = true; }

  /** The count stands before whatever the site calls its page now. */
  #entitle(mark) {
    if (document.title !== this.shownTitle) this.plainTitle = document.title;
    this.shownTitle = mark + this.plainTitle;
    if (document.title !== this.shownTitle) document.title = this.shownTitle;
  }

  /** What is on the screen is seen; what is not is counted on the button and in the title. */
  #look() {
    if (this.isOpen && !document.hidden && this.#isAtEnd() && this.unread.size) {
      const newest = Math.max(...this.unread);
      this.unread.clear();
      this.store.put("seen", newest);
      this.wire.seen(newest);
    }
    const n = this.unread.size;
    this.count.hidden = !n;
    this.count.textContent = String(n);
    this.launch.setAttribute("aria-label", n ? `${words.fill("open")}, ${words.fill("unread", { n })}` : words.fill("open"));
    this.newer.hidden = !n || this.#isAtEnd();
    this.newer.textContent = words.fill("newer", { n });
    this.#entitle(n ? `(${n}) ` : "");
  }
}

if (document.body) new Panel();
else addEventListener("DOMContentLoaded", () => new Panel());
