// What the server did not take of the scans of this device, for whoever made them to decide: none vanishes.

import { focusScan } from "./scaninput.js";

/** List it, on whatever page. `again` sends an action anew; without it the queue does. */
export async function listTasks(queue, again = (action) => queue.add(action)) {
  const box = document.getElementById("tasks");
  if (!box) return;
  const items = await queue.rejected();
  box.hidden = !items.length;
  box.querySelector("ul").replaceChildren(...items.map((item) => {
    const task = document.getElementById("task").content.cloneNode(true).firstElementChild;
    const link = task.querySelector("a");
    link.textContent = nameOf(item);
    link.href = item.place.path;
    task.querySelector("p").textContent = item.refusal ?? "";
    task.querySelector("[data-again]").addEventListener("click", async () => {
      const { n, rejected, refusal, effect, ...action } = item;
      await queue.drop(item);
      if (refusal) delete action.id; // its answer is stored: only as a new one it may be taken
      await again(action);
      await listTasks(queue, again);
    });
    task.querySelector("[data-drop]").addEventListener("click", async () => {
      await queue.drop(item);
      await listTasks(queue, again);
      focusScan();
    });
    return task;
  }));
}

/** An action in words: where, and the code or what it was. */
export function nameOf({ kind, code, place }) {
  return `${place.name}: ${code || place.what || kind}`;
}
