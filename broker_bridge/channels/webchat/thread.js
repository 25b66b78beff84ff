// The messages on the page: one node each, put in order by sequence. Text reaches the page as text nodes only.

/** An element with attributes, event listeners (on…) and children; strings become text nodes. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// Control characters, direction overrides and byte order marks: they could hide or turn what is read.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const LINK = /https?:\/\/[^\s<>"'\u00a0]+[^\s<>"'\u00a0.,;:!?)\]}]/g;
const TOGETHER_MS = 120000;

function clean(text) {
  return String(text ?? "").replace(/\r\n?/g, "\n").replace(UNSEEN, "");
}

/** The text as nodes: plain text, and links that are written out in it. */
function textNodes(text) {
  const shown = clean(text).slice(0, 20000);
  const nodes = [];
  let at = 0;
  for (const match of shown.matchAll(LINK)) {
    nodes.push(shown.slice(at, match.index));
    nodes.push(el("a", { href: match[0], target: "_blank", rel: "noopener noreferrer nofollow ugc" }, match[0]));
    at = match.index + match[0].length;
  }
  return [...nodes, shown.slice(at)];
}

function sizeWords(bytes, lang) {
  const [value, unit] = bytes < 1e6 ? [Math.max(1, Math.round(bytes / 1e3)), "kilobyte"] : [Math.round(bytes / 1e5) / 10, "megabyte"];
  return new Intl.NumberFormat(lang, { style: "unit", unit }).format(value);
}

class Thread {
  /** `acts`: again(id), forget(id), save(file), preview(file) -> object URL or null. */
  constructor(log, words, acts) {
    this.log = log;
    this.words = words;
    this.acts = acts;
    this.entries = new Map();
    this.arrivals = 0;
    this.lastSeq = 0;
    this.seenSeq = 0;
    this.time = new Intl.DateTimeFormat(words.lang, { hour: "2-digit", minute: "2-digit" });
    this.date = new Intl.DateTimeFormat(words.lang, { weekday: "long", day: "numeric", month: "long" });
  }

  get size() { return this.entries.size; }
  has(id) { return this.entries.has(id); }

  /** Show a message, or what is newly known of one that is shown. True if it was not there before. */
  show(message, fate = null) {
    const old = this.entries.get(message.id);
    const entry = old || this.#build(message);
    if (message.seq > 0) entry.place = message.seq;
    this.lastSeq = Math.max(this.lastSeq, message.seq || 0);
    entry.seq = message.seq || entry.seq;
    if (message.state === "seen") this.seenSeq = Math.max(this.seenSeq, entry.seq);
    entry.fate = fate;
    this.#arrange();
    return !old;
  }

  /** What became of an own message: { key, reason, offers } or null for stored. */
  fate(id, fate) {
    const entry = this.entries.get(id);
    if (!entry) return;
    if (entry.fate && !fate && !entry.seq) entry.place = this.lastSeq + 0.5; // stored now: after all that is known
    entry.fate = fate;
    this.#arrange();
  }

  /** An agent has read up to `seq`. */
  seen(seq) {
    this.seenSeq = Math.max(this.seenSeq, seq);
    this.#arrange();
  }

  remove(id) {
    const entry = this.entries.get(id);
    if (!entry) return;
    entry.row.remove();
    this.entries.delete(id);
    this.#arrange();
  }

  #build(message) {
    this.arrivals += 1;
    const isYou = message.from === "you";
    const day = el("div", { class: "day", hidden: true });
    const at = new Date(message.at_ms);
    const who = el("b", {}, isYou ? this.words.fill("you") : clean(message.name) || this.words.fill("us"));
    const by = el("div", { class: "by" }, who, el("time", { datetime: at.toISOString() }, this.time.format(at)));
    const body = el("div", { class: "body" });
    if (message.text) body.append(el("div", { class: "text", dir: "auto" }, ...textNodes(message.text)));
    for (const file of message.files || []) body.append(this.#file(file));
    const fateLine = el("div", { class: "fate", hidden: true });
    const row = el("div", { class: `row fresh ${isYou ? "you" : "agent"}`, "data-id": message.id }, day, by, body, fateLine);
    const entry = {
      id: message.id, isYou, name: message.name, at_ms: message.at_ms, seq: message.seq || 0, fate: null,
      place: this.lastSeq + 0.5, arrival: this.arrivals, row, day, fateLine,
    };
    this.entries.set(message.id, entry);
    return entry;
  }

  #file(file) {
    const facts = [el("u", {}, clean(file.name)), el("span", {}, sizeWords(file.size_bytes, this.words.lang))];
    if (file.digest) facts.push(el("span", { class: "keep" }, this.words.fill("save")));
    const button = el("button", { type: "button", class: "file", onclick: () => this.acts.save(file) }, ...facts);
    button.disabled = !file.digest;
    const holder = el("div", {}, button);
    if (file.digest && /^image\/(png|jpeg|gif|webp)$/.test(file.media_type) && file.size_bytes < 4e6) this.#preview(file, holder);
    return holder;
  }

  async #preview(file, holder) {
    const address = await this.acts.preview(file);
    if (!address) return;
    const picture = el("img", { class: "look", src: address, alt: clean(file.name) });
    picture.addEventListener("error", () => picture.remove());
    picture.addEventListener("load", () => this.acts.grown());
    holder.prepend(picture);
  }

  /** What is not stored yet comes last, in the order it was written. */
  #placeOf(entry) { return entry.fate ? Infinity : entry.place; }

  /** Order, days, who heads a group, and the fate of the last own message of each group and of all that waits. */
  #arrange() {
    const inOrder = [...this.entries.values()].sort((a, b) => this.#placeOf(a) - this.#placeOf(b) || a.arrival - b.arrival);
    inOrder.forEach((entry, index) => {
      const before = inOrder[index - 1];
      const after = inOrder[index + 1];
      if (this.log.children[index] !== entry.row) this.log.insertBefore(entry.row, this.log.children[index] || null);
      const isNewDay = !before || new Date(before.at_ms).toDateString() !== new Date(entry.at_ms).toDateString();
      entry.day.hidden = !isNewDay;
      entry.day.textContent = this.#dayWords(entry.at_ms);
      entry.row.classList.toggle("joined", !isNewDay && this.#isTogether(before, entry));
      if (!entry.isYou) return;
      const isLastOfItsKind = !after || !this.#isTogether(entry, after) || Boolean(entry.fate) !== Boolean(after.fate);
      this.#showFate(entry, isLastOfItsKind);
    });
  }

  #isTogether(a, b) {
    return a.isYou === b.isYou && (a.isYou || a.name === b.name) && b.at_ms - a.at_ms < TOGETHER_MS;
  }

  #dayWords(at_ms) {
    const day = new Date(at_ms).toDateString();
    if (day === new Date().toDateString()) return this.words.fill("today");
    if (day === new Date(Date.now() - 864e5).toDateString()) return this.words.fill("yesterday");
    return this.date.format(new Date(at_ms));
  }

  #showFate(entry, isLast) {
    const fate = entry.fate || { key: entry.seq && entry.seq <= this.seenSeq ? "seen" : "sent" };
    entry.fateLine.hidden = !entry.fate && !isLast;
    const words = this.words.fill(fate.key, fate.values) + (fate.reason ? `: ${clean(fate.reason)}` : "");
    if (entry.fateLine.dataset.words === words) return;
    entry.fateLine.dataset.words = words;
    entry.fateLine.classList.toggle("bad", fate.key === "failed");
    entry.fateLine.replaceChildren(words);
    if (fate.offers) {
      const offer = (key, act) => el("button", { type: "button", onclick: () => act(entry.id) }, this.words.fill(key));
      if (fate.offers.includes("again")) entry.fateLine.append(offer("again", this.acts.again));
      entry.fateLine.append(offer("remove", this.acts.forget));
    }
  }
}
