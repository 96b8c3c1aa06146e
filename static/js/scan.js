// The scan loop of a pick job: reads the scanner, keeps every action until the server has answered it, shows the answer.

import { show } from "./feedback.js";
import { focusScan, keepTyping, ScanInput } from "./scaninput.js";

const script = document.querySelector("script[data-url]");
const texts = JSON.parse(document.getElementById("scan-texts").textContent);
const feedback = document.getElementById("feedback");

/**
 * First in, first out; survives a reload. Together with the server, which stores each answer: exactly once.
 * What another user of this device scanned waits until that user signs in again. What can never be answered is set
 * aside as a task for the picker: the rest goes on.
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
    const item = { ...action, id: crypto.randomUUID(), at: new Date().toISOString(), url: this.url, user: this.user, place: place() };
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

  async mine() {
    const items = await this.transaction("readonly", (store) => store.getAll());
    return items.filter((item) => item.user === this.user);
  }

  async waiting() {
    return (await this.mine()).filter((item) => !item.rejected);
  }

  async rejected() {
    return (await this.mine()).filter((item) => item.rejected);
  }

  /** Try a rejected action once more, behind all others. */
  async again({ n, rejected, ...item }) {
    await this.drop({ n });
    await this.transaction("readwrite", (store) => store.add(item));
    return this.drain();
  }

  drop({ n }) {
    return this.transaction("readwrite", (store) => store.delete(n));
  }

  async send(item) {
    const { n, url, user, place, rejected, ...body } = item;
    let response, answer;
    try {
      response = await fetch(url, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.timeout(6000),
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", "X-CSRFToken": token(), "Idempotency-Key": item.id },
      });
      answer = await response.json().catch(() => null);
      if (isForLater(response, answer, item)) throw new Error(response.status);
    } catch {
      this.onAnswer({ kind: "waiting", text: texts.waiting.replace("{n}", (await this.waiting()).length) });
      return false;
    }
    if (response.status === 401 && answer) {
      this.onAnswer(answer);
      return false;
    }
    if (answer?.scan === item.id) {
      await this.drop(item);
      this.onAnswer(answer);
    } else {
      await this.transaction("readwrite", (store) => store.put({ ...item, rejected: response.status }));
      this.onAnswer({ kind: "rejected", text: texts.rejected.replace("{what}", nameOf(item)) });
    }
    return true;
  }
}

/** Broken or busy for now, or not our server: a sign-in page of the network answers 200, or leads elsewhere (0). */
function isForLater({ status }, answer, item) {
  if (status >= 500 || [0, 408, 425, 429].includes(status)) return true;
  if (status === 401) return !answer;
  return status < 400 && answer?.scan !== item.id;
}

function nameOf({ kind, code, place }) {
  return `${place.name}: ${code ?? texts.kinds[kind]}`;
}

function token() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}

function job() {
  return document.getElementById("work").dataset.job;
}

/** Where an action was done, to find the way back to it. */
function place() {
  return { name: document.getElementById("work").dataset.name, path: location.pathname };
}

async function onAnswer(answer) {
  show(feedback, answer);
  if (answer.kind === "rejected") return listTasks();
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

/** What the server did not take, for the picker to decide: none vanishes. */
async function listTasks() {
  const box = document.getElementById("tasks");
  const items = await queue.rejected();
  box.hidden = !items.length;
  box.querySelector("ul").replaceChildren(...items.map((item) => {
    const task = document.getElementById("task").content.cloneNode(true).firstElementChild;
    const link = task.querySelector("a");
    link.textContent = nameOf(item);
    link.href = item.place.path;
    task.querySelector("[data-again]").addEventListener("click", async () => {
      await queue.again(item);
      await listTasks();
    });
    task.querySelector("[data-drop]").addEventListener("click", async () => {
      await queue.drop(item);
      await listTasks();
      focusScan();
    });
    return task;
  }));
}

let queue;

// Without https a browser has neither ids nor locks: the plain forms of the page then do the work.
if (isSecureContext) {
  queue = new ActionQueue(script.dataset.url, script.dataset.user, onAnswer);
  const input = new ScanInput((code) => queue.add({ kind: "scan", job: job(), code }));

  keepTyping(input);

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
  listTasks();
  focusScan();
}
