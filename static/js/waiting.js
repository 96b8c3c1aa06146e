// What waits on this device goes out from every page, not only from the one where it was scanned; and a page that was kept
// says that there is no connection.

import { ActionQueue } from "./queue.js";
import { isReachable } from "./reach.js";

const strip = document.getElementById("waiting");

/** The scan pages have a queue of their own and say more. */
if (strip && isSecureContext && !document.getElementById("connection")) {
  const queue = new ActionQueue("", strip.dataset.user, { onAnswer: paint, onRejected: paint, onWait: paint, onChange: paint });

  async function paint() {
    const waiting = (await queue.waiting()).length;
    const refused = (await queue.rejected()).length;
    const { waiting: waits, refused: asks, offline } = strip.dataset;
    strip.hidden = !waiting && !refused && await isReachable();
    strip.textContent = waiting ? waits.replace("{n}", waiting) : refused ? asks.replace("{n}", refused) : offline;
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
