// What waits on this device goes out from every page, not only from the one where it was scanned; and a page that was kept
// says that there is no connection.

import { ActionQueue } from "./queue.js";
import { isReachable } from "./reach.js";
import { listTasks } from "./tasks.js";

const strip = document.getElementById("waiting");

/** The scan pages have a queue of their own and say more. */
if (strip && isSecureContext && !document.getElementById("connection")) {
  const queue = new ActionQueue("", strip.dataset.user, { onAnswer, onRejected: paint, onWait: paint, onChange: paint });

  /** With the last answer the lists of this page are old. */
  async function onAnswer(item, answer, isOfAnotherTab = false) {
    if (!isOfAnotherTab && answer.kind?.startsWith("closed")) strip.after(closing(item, answer));
    await paint();
    if ((await queue.waiting()).length) return;
    for (const list of document.querySelectorAll("[hx-trigger*=refresh]")) htmx.trigger(list, "refresh");
  }

  /** What a screen tells that was left before its work was closed; its page says what becomes of missing units. */
  function closing({ place }, { kind, text }) {
    const notice = Object.assign(document.createElement("p"), { className: "notice notice-good" });
    notice.setAttribute("role", "status");
    notice.append(Object.assign(document.createElement("span"), { textContent: text }));
    if (kind !== "closed_short") return notice;
    const link = { className: "btn", href: place.path, textContent: strip.dataset.fate };
    notice.append(Object.assign(document.createElement("a"), link));
    return notice;
  }

  async function paint() {
    const isHere = await isReachable(); // first: it may take a while, and the queue goes on meanwhile
    const waiting = (await queue.waiting()).length;
    const { waiting: waits, offline } = strip.dataset;
    const said = [!isHere && offline, waiting && waits.replace("{n}", waiting)].filter(Boolean);
    strip.hidden = !said.length;
    strip.textContent = said.join(" ");
    await listTasks(queue);
  }

  const asked = new WeakSet();

  // Without a connection a browser would leave the page for one of its own: the server is asked first.
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    if (navigator.onLine || asked.delete(form)) return;
    event.preventDefault();
    event.stopPropagation();
    if (await isReachable()) {
      asked.add(form);
      form.requestSubmit(submitter);
    } else {
      await paint();
      strip.scrollIntoView({ block: "center" });
    }
  }, true);
  addEventListener("online", paint);
  addEventListener("offline", paint);
  paint();
}
