// The scan loop of a pick job: reads the scanner, keeps every action until the server has answered it, shows the answer.

import { show } from "./feedback.js";

const script = document.querySelector("script[data-url]");
const texts = JSON.parse(document.getElementById("scan-texts").textContent);
const feedback = document.getElementById("feedback");

/** Calls `onCode` with what a scanner types, wherever the focus is. A scanner types fast and ends with Enter or Tab. */
class ScanInput {
  constructor(onCode, { gap = 60, idle = 150, min = 4 } = {}) {
    Object.assign(this, { onCode, gap, idle, min, buffer: "", last: 0, timer: 0 });
    addEventListener("keydown", (event) => this.key(event), true); // before buttons react
    addEventListener("input", (event) => { // Android scanners insert text without usable keys
      const field = event.target;
      if (!field.matches?.("[data-scan]")) return;
      clearTimeout(this.timer);
      if (/[\r\n\t]$/.test(field.value)) this.take(field);
      else if ((event.data ?? "").length >= this.min) this.timer = setTimeout(() => this.take(field), this.idle);
    }, true);
  }

  take(field) {
    const code = field.value.trim();
    field.value = "";
    this.buffer = "";
    if (code) this.onCode(code);
  }

  /** What of a scan has been typed so far, wherever it went. */
  begun() {
    const buffer = performance.now() - this.last < this.idle ? this.buffer : "";
    this.buffer = "";
    return (document.querySelector("[data-scan]")?.value ?? "") + buffer;
  }

  key(event) {
    const element = document.activeElement;
    const scanning = element?.matches("[data-scan]");
    const typing = element?.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
    const fast = event.timeStamp - this.last < this.gap;
    this.last = event.timeStamp;
    const ends = event.key === "Enter" || (event.key === "Tab" && fast) || (event.ctrlKey && event.key === "j");
    if (ends) return this.end(event, element, scanning, typing, fast);
    if (event.ctrlKey && event.key === "]") { // GS1 group separator
      event.preventDefault();
      if (scanning) element.value += "\x1d";
      else this.buffer += "\x1d";
      return;
    }
    if (typing || event.isComposing || event.altKey || event.metaKey || event.ctrlKey || event.key.length !== 1) return;
    this.buffer = fast ? this.buffer + event.key : event.key;
    if (fast) event.preventDefault(); // a space of the code must not press a button
  }

  end(event, element, scanning, typing, fast) {
    if (scanning && element.value) {
      event.preventDefault();
      event.stopPropagation();
      return this.take(element);
    }
    if (!typing && fast && this.buffer.length >= this.min) {
      event.preventDefault();
      event.stopPropagation();
      const code = this.buffer;
      this.buffer = "";
      return this.onCode(code);
    }
    if (event.ctrlKey) event.preventDefault();
    this.buffer = "";
  }
}

/**
 * First in, first out; survives a reload. Together with the server, which stores each answer: exactly once.
 * What another user of this device scanned waits until that user signs in again.
 */
class ActionQueue {
  constructor(url, user, onAnswer) {
    Object.assign(this, { url, user, onAnswer });
    this.database = new Promise((resolve, reject) => {
      const request = indexedDB.open("scans", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("actions", { keyPath: "n", autoIncrement: true });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    addEventListener("online", () => this.drain());
    setInterval(() => this.drain(), 3000);
    this.drain();
  }

  async transaction(mode, step) {
    const database = await this.database;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("actions", mode);
      const request = step(transaction.objectStore("actions"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
    });
  }

  async add(action) {
    const item = { ...action, id: crypto.randomUUID(), at: new Date().toISOString(), url: this.url, user: this.user };
    await this.transaction("readwrite", (store) => store.add(item));
    return this.drain();
  }

  drain() {
    return navigator.locks.request("scan-queue", { ifAvailable: true }, async (lock) => { // one tab at a time
      if (!lock) return;
      for (;;) {
        const item = (await this.waiting())[0];
        if (!item || !(await this.send(item))) break;
      }
    });
  }

  async waiting() {
    const items = await this.transaction("readonly", (store) => store.getAll());
    return items.filter((item) => item.user === this.user);
  }

  async send(item) {
    const { n, url, user, ...body } = item;
    let response, answer;
    try {
      response = await fetch(url, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.timeout(6000),
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", "X-CSRFToken": token(), "Idempotency-Key": item.id },
      });
      answer = await response.json();
      // Not our server: a sign-in page of the network, or a proxy.
      if (response.status >= 500 || (response.status !== 401 && answer.scan !== item.id)) throw new Error(response.status);
    } catch {
      this.onAnswer({ kind: "waiting", text: texts.waiting.replace("{n}", (await this.waiting()).length) });
      return false;
    }
    if (response.status === 401) {
      this.onAnswer(answer);
      return false;
    }
    await this.transaction("readwrite", (store) => store.delete(n));
    this.onAnswer(answer);
    return true;
  }
}

function token() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}

function job() {
  return document.getElementById("work").dataset.job;
}

async function onAnswer(answer) {
  show(feedback, answer);
  if (answer.kind === "login") feedback.firstElementChild.append(signInLink());
  if (answer.kind === "waiting" || answer.kind === "login") return;
  if (answer.kind === "closed") {
    location.assign(document.querySelector(".back").href);
    return;
  }
  await htmx.ajax("GET", location.pathname, { target: "#work", swap: "outerHTML" });
  scrollTo({ top: 0 });
}

function signInLink() {
  const next = encodeURIComponent(location.pathname);
  return Object.assign(document.createElement("a"), {
    className: "btn",
    href: `${script.dataset.signIn}?next=${next}`,
    textContent: texts.signIn,
  });
}

function focusScan() {
  document.querySelector("[data-scan]")?.focus({ preventScroll: true });
}

// Without https a browser has neither ids nor locks: the plain forms of the page then do the work.
if (isSecureContext) {
  const queue = new ActionQueue(script.dataset.url, script.dataset.user, onAnswer);
  const input = new ScanInput((code) => queue.add({ kind: "scan", job: job(), code }));

  // A scanner does not wait for the page: what it typed into the old field goes on in the new one.
  let begun = "";
  document.addEventListener("htmx:beforeSwap", () => {
    begun = input.begun();
  });
  document.addEventListener("htmx:afterSwap", () => {
    const field = document.querySelector("[data-scan]");
    if (field) field.value = begun;
    focusScan();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id === "scan-form") {
      event.preventDefault();
      const field = form.querySelector("[data-scan]");
      const code = field.value.trim();
      field.value = "";
      if (code) queue.add({ kind: "scan", job: job(), code });
    } else if (form.matches("[data-act]")) {
      event.preventDefault();
      const data = new FormData(form);
      queue.add({
        kind: data.get("kind"),
        job: job(),
        line: data.get("line"),
        quantity: data.has("quantity") ? Number(data.get("quantity")) : null,
        reason: data.get("reason"),
      });
    }
  });

  addEventListener("keydown", (event) => {
    if (event.key !== "F2") return;
    event.preventDefault();
    queue.add({ kind: "undo", job: job() });
  });
  focusScan();
}
