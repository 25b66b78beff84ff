// The socket, the outbox and resume. No page in here.
// The law: a message stays in the outbox, under its own id, until the server has said that it is stored; it is sent
// again with the same id after any doubt. One message is under way at a time, so that order is kept.

/** A small store that survives a reload where the browser allows it, and lives in memory where it does not. */
function openStore(scope) {
  const memory = new Map();
  const guarded = (act, otherwise) => {
    try { return act(); } catch { return otherwise(); }
  };
  const get = (key) => {
    const kept = guarded(() => localStorage.getItem(scope + key), () => null);
    const text = kept ?? memory.get(key) ?? null;
    return text === null ? null : guarded(() => JSON.parse(text), () => null);
  };
  const put = (key, value) => {
    const text = JSON.stringify(value);
    guarded(() => { localStorage.setItem(scope + key, text); memory.delete(key); }, () => memory.set(key, text));
  };
  const drop = (key) => {
    memory.delete(key);
    guarded(() => localStorage.removeItem(scope + key), () => undefined);
  };
  const keys = (start) => {
    const kept = guarded(() => Object.keys(localStorage), () => []);
    const own = kept.filter((key) => key.startsWith(scope)).map((key) => key.slice(scope.length));
    return [...new Set([...own, ...memory.keys()])].filter((key) => key.startsWith(start));
  };
  return { scope, get, put, drop, keys };
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const PATIENCE_MS = 25000;   // no answer to a message for so long: open the socket again
const SILENCE_MS = 50000;    // the server pings every 20 s; nothing for so long means that it is gone
const LONGEST_WAIT_MS = 15000;

class Wire {
  /** `on` is told: state, welcome, message, sending, acked, waits, refused, typing, seen, upload, notice. */
  constructor(address, store, on) {
    this.address = address;
    this.store = store;
    this.on = on;
    this.socket = null;
    this.state = "idle";
    this.lastSeq = 0;
    this.tries = 0;
    this.underWay = null;
    this.flushAt = 0;
    this.count = 0;
    this.heardAt = 0;
    addEventListener("online", () => this.wake());
    addEventListener("pageshow", () => this.wake());
    addEventListener("storage", (event) => this.#storeChanged(event));
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
    setInterval(() => this.#watch(), 5000);
  }

  /** Begin; after that the wire keeps itself open. */
  open() {
    if (this.state === "idle") this.#connect();
  }

  /** Something changed for the better: try at once. */
  wake() {
    if (this.state === "offline") this.#connect();
    else if (this.state === "live" && Date.now() - this.heardAt > PATIENCE_MS) this.#lost();
  }

  /** Messages that are not acknowledged yet, oldest first. */
  outbox() {
    const items = this.store.keys("out:").map((key) => this.store.get(key)).filter((item) => item && item.id);
    return items.sort((a, b) => a.at_ms - b.at_ms || a.n - b.n);
  }

  /** Put a message into the outbox and send it as soon as it can go. */
  send(item) {
    this.count += 1;
    const kept = { ...item, at_ms: Date.now(), n: this.count };
    this.store.put(`out:${item.id}`, kept);
    this.open();
    this.#flush();
    return kept;
  }

  /** Try a refused message again, or forget it. */
  again(id) {
    const item = this.store.get(`out:${id}`);
    if (!item) return;
    delete item.failed;
    this.store.put(`out:${id}`, item);
    this.#flush();
  }

  forget(id) {
    this.store.drop(`out:${id}`);
  }

  typing(on) { if (this.state === "live") this.#write({ t: "typing", on }); }
  seen(seq) { if (this.state === "live") this.#write({ t: "seen", seq }); }
  askUpload(id, name) { if (this.state === "live") this.#write({ t: "file", id, name }); }
  page() { return location.href.split("#")[0].slice(0, 2000); }

  #connect() {
    clearTimeout(this.retry);
    this.#become("connecting");
    let socket;
    try { socket = new WebSocket(this.address); } catch { return this.#lost(); }
    this.socket = socket;
    this.heardAt = Date.now();
    socket.onopen = () => this.#hello();
    socket.onmessage = (event) => socket === this.socket && this.#take(event.data);
    socket.onclose = () => socket === this.socket && this.#lost();
  }

  #hello() {
    const name = this.store.get("name") || "";
    this.#write({ t: "hello", session: this.store.get("session"), last_seq: this.lastSeq, name, page: this.page() });
  }

  #lost() {
    const socket = this.socket;
    this.socket = null;
    this.underWay = null;
    if (socket) socket.close();
    this.tries += 1;
    const wait = Math.min(LONGEST_WAIT_MS, 250 * 2 ** Math.min(this.tries, 8)) * (0.7 + Math.random() * 0.6);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.#connect(), wait);
    this.#become("offline");
  }

  #become(state) {
    if (this.state === "offline" && state === "connecting") return void (this.state = state); // still offline to the eye
    this.state = state;
    this.on.state(state);
  }

  #watch() {
    const now = Date.now();
    const isStuck = this.underWay && now - this.underWay.at > PATIENCE_MS;
    if (this.socket && (isStuck || now - this.heardAt > SILENCE_MS)) this.#lost();
  }

  #write(frame) {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ v: 1, ...frame }));
  }

  #take(text) {
    this.heardAt = Date.now();
    let frame;
    try { frame = JSON.parse(text); } catch { return; }
    switch (frame.t) {
      case "welcome": return this.#welcome(frame);
      case "message": return this.#message(frame);
      case "said": return this.#said(frame);
      case "refused": return this.#refused(frame);
      case "ping": return this.#write({ t: "pong" });
      case "typing": return this.on.typing(frame);
      case "seen": return this.on.seen(frame.seq);
      case "upload": return this.on.upload(frame);
    }
  }

  #welcome(frame) {
    this.tries = 0;
    this.store.put("session", frame.session);
    this.#become("live");
    for (const message of frame.history) this.#message(message);
    this.on.welcome();
    this.#flush();
  }

  #message(message) {
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    if (message.from === "you") this.forget(message.id); // what comes back from the desk is certainly stored
    this.on.message(message);
  }

  #said(frame) {
    this.forget(frame.id);
    if (this.underWay && this.underWay.id === frame.id) this.underWay = null;
    this.on.acked(frame.id);
    this.#flush();
  }

  #refused(frame) {
    const waitMs = Math.max(0, frame.retry_after_s || 0) * 1000;
    if (frame.code === "session") {
      for (const key of ["session", "seen"]) this.store.drop(key);
      this.lastSeq = 0;
      return this.#hello();
    }
    if (!frame.id) return this.#refusedHello(frame, waitMs);
    if (this.underWay && this.underWay.id === frame.id) this.underWay = null;
    const item = this.store.get(`out:${frame.id}`);
    if (item && !waitMs) this.store.put(`out:${frame.id}`, { ...item, failed: frame.reason });
    if (waitMs) this.flushAt = Date.now() + waitMs;
    if (item && waitMs) this.on.waits(frame.id, frame.code);
    else this.on.refused(frame);
    setTimeout(() => this.#flush(), waitMs + 20);
  }

  #refusedHello(frame, waitMs) {
    this.on.notice(frame.code === "unavailable" ? "cannotLoad" : null, frame.reason);
    if (waitMs) setTimeout(() => this.state === "live" || this.#hello(), waitMs);
  }

  #flush() {
    if (this.state !== "live" || this.underWay || Date.now() < this.flushAt) return;
    const next = this.outbox().find((item) => !item.failed);
    if (!next) return;
    this.underWay = { id: next.id, at: Date.now() };
    this.on.sending(next);
    if (next.token) this.#write({ t: "file", id: next.id, name: next.file.name, token: next.token });
    else this.#write({ t: "say", id: next.id, text: next.text, page: this.page(), name: this.store.get("name") || "" });
  }

  /** Another tab began the session that this tab must join. */
  #storeChanged(event) {
    if (event.key !== `${this.store.scope}session` || !event.newValue || this.lastSeq || !this.socket) return;
    if (event.newValue !== event.oldValue) this.#lost();
  }
}
