// The door: every scan is kept until the server has answered it, and the field is ready for the next parcel.

import { show, showObstacle } from "./feedback.js";
import { ActionQueue } from "./queue.js";
import { focusScan, keepTyping, ScanInput } from "./scaninput.js";
import { listTasks } from "./tasks.js";

const script = document.querySelector("script[data-url]");
const feedback = document.getElementById("feedback");
const connection = document.getElementById("connection");

let queue;
let isLoading = false;
let isStale = false;

function work() {
  return document.getElementById("work");
}

function texts() {
  return JSON.parse(document.getElementById("scan-texts").textContent);
}

function take(code) {
  return queue.add({ load: work().dataset.load, code, place: { name: work().dataset.name, path: location.pathname } });
}

/** Show the load as the server has it; once more when something happened meanwhile. */
async function refresh() {
  isStale = true;
  if (isLoading) return;
  isLoading = true;
  while (isStale) {
    isStale = false;
    await htmx.ajax("GET", location.pathname, { source: "#work", target: "#work", swap: "outerHTML" });
  }
  isLoading = false;
}

function onAnswer(item, answer, isOfAnotherTab = false) {
  if (!isOfAnotherTab) connection.replaceChildren();
  if (item.url !== script.dataset.url) listTasks(queue); // scanned on another page
  if (item.load !== work().dataset.load) return;
  if (!isOfAnotherTab) {
    document.querySelectorAll("#content > .notice[role=status]:not(#waiting)").forEach((said) => said.remove()); // of the scan before
    show(feedback, answer);
  }
  refresh();
}

async function onWait(kind, answer) {
  const number = (await queue.waiting()).length;
  const isNew = showObstacle(connection, kind === "login" ? answer : { kind, text: texts().waiting.replace("{n}", number) });
  if (kind !== "login" || !isNew) return;
  const href = `${script.dataset.signIn}?next=${encodeURIComponent(location.pathname)}`;
  connection.firstElementChild.append(Object.assign(document.createElement("a"), { className: "btn", href, textContent: texts().signIn }));
}

function onRejected(item) {
  if (item.url !== script.dataset.url) return listTasks(queue);
  show(feedback, { kind: "rejected", text: texts().rejected.replace("{what}", `${item.place.name}: ${item.code}`) });
  return queue.drop(item);
}

if (navigator.locks && crypto.randomUUID && document.getElementById("scan-form")) {
  queue = new ActionQueue(script.dataset.url, script.dataset.user, { onAnswer, onRejected, onWait, onChange() {} });
  keepTyping(new ScanInput(take));
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "scan-form") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const field = event.target.querySelector("[data-scan]");
    const code = field.value.trim();
    field.value = "";
    if (code) take(code);
    focusScan();
  }, true);
  listTasks(queue);
} // else http without a certificate: the plain form does it
