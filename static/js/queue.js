// Actions of a scan screen on their way to the server: first in, first out, kept over reloads, sent until answered.

/**
 * Together with the server, which stores each answer: exactly once. What another user of this device scanned waits until
 * that user signs in again. What can never be answered is set aside as a task: the rest goes on.
 *
 * Hears: `onAnswer(item, answer)` a stored answer, `onRejected(item)` what no server will take, `onWait(kind, answer)`
 * when nothing goes on for now (`"waiting"` or `"login"`), and `onChange()` when another tab did something.
 */
export class ActionQueue {
  constructor(url, user, { onAnswer, onRejected, onWait, onChange }) {
    Object.assign(this, { url, user, onAnswer, onRejected, onWait, onChange });
    this.database = open();
    this.tabs = new BroadcastChannel("scans");
    this.tabs.onmessage = ({ data }) => (data.answer ? this.onAnswer(data.item, data.answer, true) : this.onChange());
    addEventListener("online", () => this.drain());
    setInterval(() => this.drain(), 3000);
    this.drain();
  }

  transaction(store, mode, step) {
    return transaction(this.database, store, mode, step);
  }

  /** Keep an action; resolves when it is safe. It is sent afterwards, in its turn. */
  async add(action) {
    const item = { id: crypto.randomUUID(), url: this.url, ...action, at: new Date().toISOString(), user: this.user };
    item.n = await this.transaction("actions", "readwrite", (store) => store.add(item));
    this.tabs.postMessage({});
    this.drain();
    return item;
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

  /** A job as it was kept after the last answer, when that was for this person. */
  async keptJob(id) {
    const kept = await this.transaction("jobs", "readonly", (store) => store.get(id));
    return kept?.user === this.user ? kept.data : undefined;
  }

  keepJob(data) {
    return this.transaction("jobs", "readwrite", (store) => store.put({ id: data.id, user: this.user, data }));
  }

  /** What was kept of the jobs of whoever had the device before. Their scans wait for them all the same. */
  async forgetOthers() {
    const kept = await this.transaction("jobs", "readonly", (store) => store.getAll());
    for (const { id, user } of kept) {
      if (user !== this.user) await this.transaction("jobs", "readwrite", (store) => store.delete(id));
    }
  }

  async mine() {
    const items = await this.transaction("actions", "readonly", (store) => store.getAll());
    return items.filter((item) => item.user === this.user);
  }

  async waiting() {
    return (await this.mine()).filter((item) => !item.rejected);
  }

  async rejected() {
    return (await this.mine()).filter((item) => item.rejected);
  }

  drop({ n }) {
    return this.transaction("actions", "readwrite", (store) => store.delete(n));
  }

  /** Set an action aside for the picker to decide. */
  async reject(item, why) {
    await this.transaction("actions", "readwrite", (store) => store.put({ ...item, ...why }));
  }

  /**
   * Whether nobody knows yet that an action is refused: it was told to be booked, and the goods are in somebody's hands,
   * or its screen was left before it was answered. So it does not just vanish.
   */
  isUntold({ effect, told, url }) {
    return Boolean(effect) || (!told && url !== this.url);
  }

  async send(item) {
    const { n, url, user, place, rejected, refusal, told, effect, opened, ...body } = item;
    const isFile = body.photo instanceof Blob;
    let response, answer;
    try {
      response = await fetch(url, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.timeout(isFile ? 30_000 : 6000),
        body: isFile ? asForm(body) : JSON.stringify(body),
        headers: {
          ...(isFile ? {} : { "Content-Type": "application/json" }),
          "X-CSRFToken": token(),
          "Idempotency-Key": item.id,
        },
      });
      answer = await response.json().catch(() => null);
      if (isForLater(response, answer, item)) throw new Error(response.status);
    } catch {
      this.onWait("waiting");
      return false;
    }
    if (response.status === 401 && answer) {
      this.onWait("login", answer);
      return false;
    }
    if (answer?.scan === item.id) {
      if (response.status >= 400 && this.isUntold(item)) await this.reject(item, { rejected: response.status, refusal: answer.text });
      else await this.drop(item);
      this.tabs.postMessage({ item, answer });
      await this.onAnswer(item, answer);
    } else {
      await this.reject(item, { rejected: response.status });
      await this.onRejected(item);
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

function asForm(body) {
  const form = new FormData();
  for (const name of ["id", "line", "photo"]) form.append(name, body[name]);
  return form;
}

function token() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("scans", 2);
    request.onupgradeneeded = () => {
      const stores = request.result.objectStoreNames;
      if (!stores.contains("actions")) request.result.createObjectStore("actions", { keyPath: "n", autoIncrement: true });
      if (!stores.contains("jobs")) request.result.createObjectStore("jobs", { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function transaction(database, store, mode, step) {
  const opened = await database;
  return new Promise((resolve, reject) => {
    const transaction = opened.transaction(store, mode);
    const request = step(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
  });
}
