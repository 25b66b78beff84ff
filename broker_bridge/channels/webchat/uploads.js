// Files: asked for over the socket, sent over HTTP with the progress shown, then kept in the outbox like any message.

class Uploads {
  /** `on` is told: progress(id, percent), failed(id, key, reason, canRetry). */
  constructor(base, wire, on) {
    this.base = base;
    this.wire = wire;
    this.on = on;
    this.waiting = new Map();
    this.own = new Map(); // what was chosen on this page: shown without asking the server, which has it a moment later
  }

  /** Why `file` cannot go, as a key of the words, or null. */
  objection(file) {
    if (file.size > SITE.maxFile) return "too_large";
    const isKnown = !file.type || file.type === "application/octet-stream" || SITE.types.includes(file.type);
    return isKnown ? null : "type";
  }

  start(id, file) {
    this.waiting.set(id, file);
    this.wire.open();
    this.wire.askUpload(id, file.name);
  }

  forget(id) { this.waiting.delete(id); }

  /** After a reconnect: ask again for what has not begun. */
  resume() {
    for (const [id, file] of this.waiting) this.wire.askUpload(id, file.name);
  }

  /** The server's permission, with the one-time token. */
  granted(frame) {
    const file = this.waiting.get(frame.id);
    if (!file) return;
    const request = new XMLHttpRequest();
    request.open("POST", `${this.base}/upload`);
    request.setRequestHeader("X-Upload-Token", frame.token);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && this.on.progress(frame.id, Math.floor((100 * event.loaded) / event.total));
    request.onerror = () => this.#failed(frame.id, null);
    request.onload = () => this.#done(frame.id, request);
    request.send(file);
  }

  #done(id, request) {
    let answer = null;
    try { answer = JSON.parse(request.responseText); } catch { /* no answer of ours */ }
    if (request.status !== 200 || !answer || !answer.receipt) return this.#failed(id, answer);
    this.own.set(answer.file.digest, this.waiting.get(id));
    this.waiting.delete(id);
    this.wire.send({ id, text: "", token: answer.receipt, file: answer.file });
    this.on.done(id, answer.file);
  }

  #failed(id, answer) {
    const key = answer && ["too_large", "type"].includes(answer.code) ? answer.code : "upload";
    this.on.failed(id, key);
  }

  /** An object URL of a file of this chat, or null. */
  async fetch(file) {
    if (this.own.has(file.digest)) return URL.createObjectURL(this.own.get(file.digest));
    const session = this.wire.store.get("session") || "";
    try {
      const answer = await fetch(`${this.base}/file/${encodeURIComponent(file.digest)}`, { headers: { Authorization: `Bearer ${session}` } });
      return answer.ok ? URL.createObjectURL(await answer.blob()) : null;
    } catch {
      return null;
    }
  }
}
