// The pack station: every scan is kept until the server has answered it, and the field is ready for the next.

import { show, showObstacle } from "./feedback.js";
import { ActionQueue } from "./queue.js";
import { focusScan, isTyping, keepTyping, ScanInput } from "./scaninput.js";
import { listTasks } from "./tasks.js";

const script = document.querySelector("script[data-url]");
const feedback = document.getElementById("feedback");
const connection = document.getElementById("connection");
const find = document.getElementById("find-form");
// Of the printed sheet: `picking/commands.py`.
const COMMANDS = { CMD01P: () => act("undo"), CMD097: () => act("go_on"), CMD03K: () => press("#next-step .btn-primary") };
// No package weighs that much: a scan that went into the field of the weight.
const CODE = /^[0-9A-Z]{8,}$/i;
const WEIGHT = /^\s*([A-Z]{2},){0,2}\s*\+?\s*\d+([.,]\d+)?\s*(kg|g|lb|oz)$/i;

let queue;
let chosen = ""; // the number of the package that the packer chose; none: each article goes where it is proposed
let isLoading = false;
let isStale = false;

function work() {
  return document.getElementById("work");
}

function press(selector) {
  document.querySelector(selector)?.click();
}

/** Put the focus where the next thing is done: scan, else type what is asked for, else press the button. */
function lead() {
  if (document.querySelector("[data-scan]")) return focusScan();
  if (isTyping()) return;
  const field = document.querySelector("#work [autofocus]");
  if (field) {
    field.focus({ preventScroll: true });
    field.select?.(); // what is typed takes the place of what was proposed
  } else if (work().dataset.step === "close") document.querySelector("#next-step .btn-primary")?.focus({ preventScroll: true });
}

/** What a scanner or a scale typed. */
async function take(code) {
  const command = COMMANDS[code.toUpperCase()];
  if (command) return command();
  const field = document.querySelector("[data-weight][autofocus]");
  if (field && WEIGHT.test(code)) { // a scale that types while no field is open
    field.value = code;
    return field.form.requestSubmit();
  }
  const package_ = [...document.querySelectorAll("[data-package-code]")]
    .find((card) => card.dataset.packageCode === code.toUpperCase());
  if (package_) {
    chosen = package_.dataset.packageNumber;
    work().dataset.package = package_.dataset.packageId; // the next scan may come before the page
    return load();
  }
  const { run } = work().dataset;
  if (run) await queue.add({ kind: "sort", run, code, place: place() });
  else await queue.add({ kind: "scan", job: work().dataset.job, package: work().dataset.package || undefined, code, place: place() });
}

/** What is about the last scan is done after those that still wait. */
function act(kind) {
  const { job } = work().dataset;
  if (job) return queue.add({ kind, job, place: place() });
}

/** Where an action was done, to find the way back to it. */
function place() {
  return { name: work().dataset.name, path: location.pathname };
}

/** Show the job as the server has it; once more when something happened meanwhile. */
async function load() {
  isStale = true;
  if (isLoading) return;
  isLoading = true;
  while (isStale) {
    isStale = false;
    const held = work().dataset.package;
    await htmx.ajax("GET", location.pathname + (chosen && `?package=${chosen}`), { source: "#work", target: "#work", swap: "outerHTML" });
    if (isStale) work().dataset.package = held;
  }
  isLoading = false;
}

function onAnswer(item, answer, isOfAnotherTab = false) {
  if (!isOfAnotherTab) connection.replaceChildren();
  if (item.url !== script.dataset.url) listTasks(queue); // scanned on another page
  const { job, run } = work().dataset;
  if (item.job !== job || item.run !== run) return;
  if (!isOfAnotherTab) show(feedback, answer);
  load();
}

async function onWait(kind, answer) {
  const number = (await queue.waiting()).length;
  const texts = JSON.parse(document.getElementById("scan-texts").textContent);
  const isNew = showObstacle(connection, kind === "login" ? answer : { kind, text: texts.waiting.replace("{n}", number) });
  if (kind !== "login" || !isNew) return;
  const href = `${script.dataset.signIn}?next=${encodeURIComponent(location.pathname)}`;
  connection.firstElementChild.append(Object.assign(document.createElement("a"), { className: "btn", href, textContent: texts.signIn }));
}

function onRejected(item) {
  const texts = JSON.parse(document.getElementById("scan-texts").textContent);
  if (item.url !== script.dataset.url) return listTasks(queue);
  show(feedback, { kind: "rejected", text: texts.rejected.replace("{what}", `${item.place.name}: ${item.code ?? ""}`) });
  return queue.drop(item);
}

if (find) {
  // The list: whatever is scanned, wherever the focus is, opens its job.
  new ScanInput((code) => {
    find.elements.code.value = code;
    find.requestSubmit();
  });
} else if (navigator.locks && crypto.randomUUID) {
  chosen = new URLSearchParams(location.search).get("package") ?? "";
  queue = new ActionQueue(script.dataset.url, script.dataset.user, { onAnswer, onRejected, onWait, onChange() {} });
  keepTyping(new ScanInput(take));
  document.addEventListener("submit", (event) => {
    const weight = event.target.querySelector("[data-weight]");
    const isCode = weight && CODE.test(weight.value.trim()) && !WEIGHT.test(weight.value);
    if (event.target.id !== "scan-form" && !isCode) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const field = isCode ? weight : event.target.querySelector("[data-scan]");
    const code = field.value.trim();
    field.value = isCode ? weight.defaultValue : "";
    if (code) take(code);
  }, true);
  // What is said of another button takes the place of what was said about the last scan.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "refusal" || document.querySelector("#refusal .notice")) feedback.replaceChildren();
    lead();
  });
  lead();
  listTasks(queue);
} // else http without a certificate: the plain forms do it
