// The pick screen: tells the picker at once what a scan did, and keeps every action until the server has answered it.

import { show, showObstacle } from "./feedback.js";
import { isOpen, open, openPlaces, PickJob, weightRange } from "./pickjob.js";
import { Practice } from "./practice.js";
import { ActionQueue } from "./queue.js";
import { isReachable } from "./reach.js";
import { focusScan, keepTyping, ScanInput } from "./scaninput.js";
import { listTasks, nameOf } from "./tasks.js";

const script = document.querySelector("script[data-url]");
const isPractice = !script.dataset.url;
const texts = JSON.parse(document.getElementById("scan-texts").textContent);
const feedback = document.getElementById("feedback");
const connection = document.getElementById("connection");
const MISSING = "#substitute-form:not([hidden]) select, #short-form select, #short-form button";
const COMMANDS = { undo, short: commandShort, next, units: askUnits, print: () => print(), cancel, pause, close };

let queue;
let latest = ""; // the id of the last action
let painting = 0;
let asking = ""; // the line of which a scanner said that units are missing, until it says why
let job; // null on the page of a job that is not in my hands
let rows; // of the lists, by line
let painted; // what each row shows
let isLate = false; // whether the page waits to be loaded anew

/** `%(name)s` in a text of the server. */
function fill(text, words) {
  return text.replace(/%\((\w+)\)s/g, (_all, name) => words[name] ?? "–");
}

// What is shown

/** Read the job anew from the page, with what was answered and done since the page was made. */
async function load() {
  const data = document.getElementById("job-data");
  const skipped = job?.skipped ?? [];
  job = data && new PickJob(JSON.parse(data.textContent));
  if (!job) return;
  job.skipped = skipped;
  rows = new Map([...document.querySelectorAll("[data-line]")].map((row) => [row.dataset.line, row]));
  painted = new Map();
  const kept = await queue.keptJob(job.data.id);
  if (kept?.version > job.data.version) job.data = kept;
  await readPending();
}

async function readPending() {
  if (!job) return;
  const kept = (await queue.waiting()).filter((item) => item.job === job.data.id);
  job.pending = [...kept, ...job.pending.filter((item) => item.isNew && !kept.some(({ id }) => id === item.id))];
  job.replay();
  paint();
}

function slot(root, name) {
  return root.querySelector(`[data-slot="${name}"]`);
}

function paint() {
  if (!job) return;
  const { current } = job;
  document.getElementById("work").dataset.waiting = job.pending.length;
  const progress = `${job.unitsDone}/${job.units}`;
  write(document.getElementById("focus-title"), `${job.data.name} · ${progress}`);
  document.getElementById("card").hidden = !current || job.leaving === "pause";
  document.getElementById("all-done").hidden = Boolean(current || job.leaving);
  document.getElementById("closing").hidden = !job.leaving;
  for (const part of document.querySelectorAll("#closing [data-leaving]")) part.hidden = part.dataset.leaving !== job.leaving;
  document.getElementById("close-form").hidden = Boolean(current || job.leaving);
  document.getElementById("tools").hidden = Boolean(job.leaving);
  document.getElementById("go-on")?.toggleAttribute("hidden", !job.leaving);
  for (const tool of document.querySelectorAll("[data-open]")) tool.hidden = !current;
  document.getElementById("undo").hidden = !job.history.length;
  for (const pad of document.querySelectorAll(".pad")) pad.hidden = false;
  if (current) paintCard(document.getElementById("card"), current);
  const listed = { open: 0, done: 0 };
  for (const line of job.lines) {
    const row = rows.get(line.id) ?? newRow(line);
    const look = lookOf(line, current);
    if (!look.isHidden) listed[look.list] += 1;
    const key = JSON.stringify(look);
    if (painted.get(line.id) === key) continue;
    painted.set(line.id, key);
    paintRow(row, look);
  }
  for (const [id, number] of Object.entries(listed)) {
    document.getElementById(id).hidden = !number;
    write(slot(document.getElementById(id), "n"), number);
  }
  for (const [order, figures] of job.orders) paintOrder(document.querySelector(`[data-order="${order}"]`), figures);
}

/** How far an order of a run is, as the server draws it. */
function paintOrder(row, [done, units]) {
  if (!row) return; // it left the run
  const bar = row.querySelector(".progress-done");
  bar.setAttribute("width", Math.round((100 * done) / units));
  bar.classList.toggle("is-full", done >= units);
  write(row.querySelector(".progress-text"), fill(texts.progress, { done, total: units }));
}

/** Text that is there already is left alone: every change of the page costs the next scan time. */
function write(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function paintCard(card, line) {
  const places = openPlaces(line);
  const [here, ...others] = places;
  const image = card.querySelector("img");
  const then = others.map(({ name, quantity }) => `${name} (${quantity})`).join(", ");
  write(slot(card, "place"), here?.name ?? texts.noPlace);
  write(slot(card, "open"), open(line));
  write(slot(card, "zone"), here?.zone ?? "");
  write(slot(card, "then"), then ? fill(texts.then, { here: here.quantity, then }) : "");
  write(slot(card, "title"), line.title);
  write(slot(card, "shop_title"), line.shop_title ?? "");
  write(slot(card, "code"), [line.sku, line.tail].filter(Boolean).join(" · …"));
  write(slot(card, "picked"), fill(texts.picked, line));
  write(slot(card, "into"), line.into ?? "");
  for (const what of ["ask_units", "ask_short"]) write(slot(card, what), fill(texts[what], { open: open(line), title: line.title }));
  slot(card, "first").hidden = job.data.rules.location === "SCAN_NOT_REQUIRED" || !here || line.place === here.id;
  write(slot(card, "instead"), line.instead ? fill(texts.instead, line) : "");
  paintChoices(card, line);
  paintAttributes(card.querySelector("#attributes"), line);
  write(slot(card, "weight"), line.weight ? fill(texts.weigh, weighWords(line)) : "");
  image.hidden = !line.image;
  if (line.image && image.getAttribute("src") !== line.image) image.src = line.image;
  for (const field of card.querySelectorAll("[name=line]")) field.value = line.id;
  const units = card.querySelector("[name=quantity]");
  units.max = open(line);
  if (card.dataset.current !== line.id || Number(units.value) > open(line)) {
    units.value = open(line);
    typeInto(units, "fresh");
  }
  for (const [part] of job.data.parts) {
    const field = card.querySelector(`[data-part="${part}"]`);
    field.hidden = !line.records.some(([name]) => name === part);
    field.querySelector("input").required = !field.hidden;
  }
  card.dataset.current = line.id;
}

/** What may be taken instead, the best first. */
function paintChoices(card, line) {
  const form = card.querySelector("#substitute-form");
  form.hidden = !line.substitutes.length;
  const key = line.substitutes.map(({ sku }) => sku).join();
  if (form.dataset.choices === key) return;
  form.dataset.choices = key;
  form.querySelector("select").replaceChildren(...line.substitutes.map(({ sku, title, places, free }) => {
    const words = { title, place: places[0]?.name || texts.noPlace, free };
    return new Option(fill(texts.choice, words), sku);
  }));
}

/** A field for each value that is recorded of the line's units. What somebody is typing stays. */
function paintAttributes(box, { id, attributes = [] }) {
  box.hidden = !attributes.length;
  const key = JSON.stringify([id, attributes]);
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.replaceChildren(...attributes.map(([attribute, name, value, isMandatory]) => {
    const form = document.getElementById("attribute").content.cloneNode(true).firstElementChild;
    const field = form.elements.code;
    form.elements.line.value = id;
    form.elements.attribute.value = attribute;
    field.id = `attribute-${attribute}`;
    field.value = value;
    form.querySelector("label").htmlFor = field.id;
    slot(form, "name").textContent = name;
    slot(form, "must").hidden = !isMandatory;
    return form;
  }));
}

function weighWords(line) {
  const [least, most] = weightRange(line, 1);
  return { least, most };
}

function lookOf(line, current) {
  const isDone = !isOpen(line);
  return {
    list: isDone ? "done" : "open",
    isHidden: line.id === current?.id || !line.quantity, // all of it is picked as something else
    place: isDone ? "" : openPlaces(line)[0]?.name ?? "–",
    count: `${line.picked}/${line.quantity}`,
    missing: line.short ? fill(texts.missing, { short: line.short, reason: texts.reasons[line.reason] }) : "",
  };
}

/** The row of a line that the page does not know yet, as a substitute that was just taken: like any other row. */
function newRow(line) {
  const row = rows.values().next().value.cloneNode(true);
  row.dataset.line = line.id;
  row.dataset.isNew = "";
  slot(row, "title").textContent = line.title;
  for (const link of row.querySelectorAll("a")) link.remove(); // photos of the other line
  rows.set(line.id, row);
  return row;
}

function paintRow(row, { list, isHidden, place: name, count, missing }) {
  const target = document.querySelector(`#${list} > ul`);
  if (row.parentElement !== target) target.append(row);
  row.hidden = isHidden;
  row.classList.toggle("is-done", list === "done");
  write(slot(row, "place"), name);
  write(slot(row, "count"), count);
  const badge = slot(row, "missing");
  badge.hidden = !missing;
  write(badge, missing);
}

/** What stands in the way of sending, on a strip of its own: the last answer stays to be read. */
async function paintConnection(kind, answer) {
  if (isPractice) return;
  const turn = ++painting;
  const number = (await queue.waiting()).length;
  let obstacle = null;
  if (kind === "login") obstacle = answer;
  else if (kind === "waiting" && number) obstacle = { kind, text: texts.waiting.replace("{n}", number) };
  else if (!(await isReachable())) obstacle = { kind: "offline", text: texts.offline };
  if (turn !== painting) return; // something was said while the server was asked
  if (!obstacle) return connection.replaceChildren();
  if (showObstacle(connection, obstacle) && kind === "login") connection.firstElementChild.append(signInLink());
}

function signInLink() {
  const next = encodeURIComponent(location.pathname);
  return Object.assign(document.createElement("a"), {
    className: "btn",
    href: `${script.dataset.signIn}?next=${next}`,
    textContent: texts.signIn,
  });
}

// What is done

/** What a scan did stands at the top: nobody must look for it. */
function say(answer, options) {
  show(feedback, answer, options);
  scrollTo({ top: 0 });
}

/** Tell at once what an action does, and keep it for the server. */
async function act(action) {
  if (!job) return;
  const { kind, text, words, effect, opened } = job.judge(action);
  const item = { id: newId(), ...action, job: job.data.id, told: kind, effect, opened, place: place(action.kind) };
  latest = item.id;
  const mark = { ...item, isNew: true };
  job.pending.push(mark); // the next scan may come before this one is kept
  job.replay();
  paint();
  const into = effect?.picked > 0 && job.line(effect.line).into;
  const said = [kind && fill(texts[text ?? kind], words), into && `→ ${into}`].filter(Boolean).join(" ");
  if (effect) closePanel();
  if (kind) say({ kind: kind === "not_here" ? "wrong_article" : kind, text: said });
  else if (action.code) say({ kind: "pending", text: fill(texts.asked, action) }, { isQuiet: navigator.onLine });
  await queue.add(item);
  mark.isNew = false;
  if (!(await isReachable())) paintConnection("waiting");
}

/** Only an address with https has `randomUUID`; practice needs none. */
function newId() {
  return isPractice ? String(Math.random()) : crypto.randomUUID();
}

/** A photo goes the way of the actions, made small: it is kept without a connection too. */
async function keepPhoto(form, line, photo) {
  await queue.add({
    kind: "photo", told: "photo", job: job.data.id, line, photo: await shrink(photo), url: form.dataset.photos, place: place("photo"),
  });
  await readPending();
}

async function shrink(photo) {
  const image = await createImageBitmap(photo).catch(() => null);
  if (!image) return photo; // the server says what is wrong with it
  const scale = Math.min(1, 1600 / Math.max(image.width, image.height));
  const canvas = new OffscreenCanvas(Math.round(image.width * scale), Math.round(image.height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
}

/** Where an action was done and what it was, to find the way back to it. */
function place(kind) {
  return { name: document.getElementById("work").dataset.name, path: location.pathname, what: texts.kinds[kind] };
}

async function onAnswer(item, answer, isOfAnotherTab = false) {
  if (!isOfAnotherTab) paintConnection();
  if (!isBooked(answer)) showTasks();
  if (!job || item.job !== job.data.id) return;
  job.confirm(item, answer);
  await queue.keepJob(job.data);
  paint();
  if (["closed", "closed_short", "paused"].includes(answer.kind)) return leave(answer);
  if (!isOfAnotherTab && isNews(item, answer)) say(answer, { isQuiet: Boolean(item.told) && !item.effect });
  const isNew = answer.kind === "substituted" && "isNew" in (rows.get(answer.line.id)?.dataset ?? { isNew: "" });
  const isOld = ["stale", "tote"].includes(answer.kind) || answer.is_replanned || job.differsFrom(answer);
  if (isNew || isOld) await refresh();
}

/** The job is out of my hands: the next page says so. When units are missing, the job's own says what becomes of them. */
function leave({ kind, text }) {
  sessionStorage.setItem("told", JSON.stringify({ tone: kind === "paused" ? "info" : "good", text }));
  if (kind === "closed_short") location.reload();
  else location.assign(document.querySelector(".back").href);
}

/** Whether an answer says more than the picker was told at once: it must not hide what was told of a later scan. */
function isNews(item, answer) {
  if (isBooked(answer)) return !item.effect && answer.kind !== item.told;
  if (item.told === "not_here" && answer.kind === "unknown") return false; // the device named what is expected, too
  return item.id === latest || Boolean(item.effect) || !item.told;
}

const BOOKED = ["ok", "line_done", "job_done", "place", "tote", "substituted", "photo", "closed", "closed_short", "paused"];

function isBooked({ kind }) {
  return BOOKED.includes(kind);
}

async function onRejected(item) {
  say({ kind: "rejected", text: texts.rejected.replace("{what}", nameOf(item)) });
  await showTasks();
  await readPending();
}

/** The page anew; while somebody enters something below the line, when that is done. */
async function refresh() {
  isLate = isEntering();
  if (!isLate) await htmx.ajax("GET", location.pathname, { target: "#work", swap: "outerHTML" });
}

function isEntering() {
  return Boolean(document.querySelector("#card:not([hidden]) > details[open]"));
}

/** What the server did not take; what is of this job is judged and shown anew when it is sent again. */
async function showTasks() {
  await listTasks(queue, (action) => (job && action.job === job.data.id ? act(action) : queue.add(action)));
}

function onCode(code, isTyped) {
  const [command, reason] = (texts.commands[code.toUpperCase()] ?? "").split(":");
  if (command === "reason") return commandShort(reason);
  if (command !== "short") asking = "";
  if (command) COMMANDS[command]?.(); // another screen has it
  else act({ kind: "scan", code, line: job?.current?.id, ...(isTyped && { typed: true }) });
}

function tell(kind, text, words) {
  say({ kind, text: fill(texts[text], words) });
}

/** “Missing” by scanner: asks once; a code of a reason, or the same code again, answers. */
function commandShort(reason) {
  const line = job?.current;
  if (!line) return tell("unknown", "no_line", {});
  const { reasons } = job.data.rules;
  if (asking !== line.id && !(reason && reasons.includes(reason))) {
    asking = line.id;
    return tell("ask", reasons.length ? "ask_reason" : "ask_missing", { open: open(line), title: line.title });
  }
  asking = "";
  return act({ kind: "short", line: line.id, reason: reason ?? reasons[0] });
}

/** On to the next line; with none open any more, on to the next job. */
function next() {
  if (job?.leaving) return isPractice ? location.reload() : document.getElementById("go-on").click();
  if (!job) {
    const button = document.querySelector("[data-command=next]");
    return button ? button.click() : location.assign(document.querySelector(".back").href);
  }
  const words = job.skip();
  if (!words) return close();
  paint();
  return tell("place", "skipped", words);
}

function pause() {
  if (job && !job.leaving) act({ kind: "pause" });
}

function card() {
  return document.querySelector("#card:not([hidden])");
}

function undo() {
  act({ kind: "undo" });
}

function close() {
  if (!job || job.leaving) return;
  if (job.current) tell("unknown", "still_open", { units: job.units - job.unitsDone });
  else act({ kind: "close" });
}

/** Open the panel with what is asked alone, so that its button is on the screen too. */
function ask(what) {
  const panel = card()?.querySelector("details");
  if (!panel) return;
  panel.dataset.asked = what;
  panel.open = true;
  const part = panel.querySelector(`[data-asks=${what}]`);
  const field = part.querySelector(what === "missing" ? MISSING : "[name=quantity]");
  field.focus({ preventScroll: true });
  field.select?.();
  part.scrollIntoView({ block: "end" });
}

function closePanel() {
  const panel = card()?.querySelector("details");
  if (!panel) return;
  panel.open = false;
  delete panel.dataset.asked;
}

function askShort() {
  ask("missing");
}

function askUnits() {
  ask("units");
}

function cancel() {
  closePanel();
  tell("paused", "left_alone", {});
  focusScan();
}

const KEYS = { F2: undo, F4: askShort, F8: () => print(), F9: next };

/** Keys large enough for gloves: they type into the number that was touched last. */
function press(button) {
  const form = button.closest("form");
  const field = form.querySelector("[data-typed]") ?? form.querySelector("[name=quantity]");
  const { key } = button.dataset;
  if (key === "back") field.value = field.value.slice(0, -1);
  else field.value = (field.dataset.typed === "fresh" || !field.dataset.typed ? "" : field.value) + key;
  typeInto(field, "going on");
}

function typeInto(field, state) {
  for (const other of field.form.querySelectorAll("[data-typed]")) delete other.dataset.typed;
  field.dataset.typed = state;
}

// Without https a browser has neither ids nor locks: the plain forms of the page then do the work, and the page says so.
if (isSecureContext || isPractice) {
  queue = isPractice ? new Practice(texts, onAnswer) : new ActionQueue(script.dataset.url, script.dataset.user, {
    onAnswer,
    onRejected,
    onWait: paintConnection,
    onChange: readPending,
  });
  const input = new ScanInput(onCode);

  keepTyping(input);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("#scan-form, [data-act]") || !job) return;
    event.preventDefault();
    const data = new FormData(form);
    if (form.id === "scan-form") {
      form.querySelector("[data-scan]").value = "";
      const code = data.get("code").trim();
      if (code) onCode(code, true); // a scanner does not press the button
      return;
    }
    const photo = data.get("photo");
    data.delete("photo");
    const fields = Object.fromEntries([...data].filter(([name, value]) => !["id", "csrfmiddlewaretoken"].includes(name) && value));
    for (const name of ["quantity", "weight", "left"]) if (fields[name]) fields[name] = Number(fields[name]);
    act(fields).then(() => photo?.size && keepPhoto(form, fields.line, photo));
    for (const part of form.querySelectorAll("[data-part] input, [name=left], [type=file]")) part.value = "";
    focusScan();
  });

  document.addEventListener("click", (event) => {
    const tool = event.target.closest("[data-open]");
    if (tool) ask(tool.dataset.open);
    const summary = event.target.closest("#card summary");
    if (summary) delete summary.parentElement.dataset.asked; // opened by itself it has everything
    const key = event.target.closest("[data-key]");
    if (key) press(key);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches(".pad-form input[type=number]")) typeInto(target, "fresh");
  });

  addEventListener("keydown", (event) => {
    const command = KEYS[event.key];
    if (!command) return;
    event.preventDefault();
    command();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "work") return;
    if (new URL(event.detail.xhr.responseURL).pathname !== location.pathname) event.detail.shouldSwap = false; // the sign-in
    if (!isEntering()) return;
    event.detail.shouldSwap = false; // the panel was opened while the answer was under way
    isLate = true;
  });
  document.addEventListener("toggle", ({ target }) => {
    if (target.open || !target.matches("#card > details")) return;
    focusScan();
    if (isLate) refresh();
  }, true);
  document.addEventListener("htmx:afterSwap", load);
  // Another page may have gone on meanwhile, or another device.
  document.addEventListener("visibilitychange", async () => {
    if (!document.hidden && !isPractice && await isReachable()) refresh();
  });
  addEventListener("offline", () => paintConnection("waiting"));
  if (!isPractice && !navigator.serviceWorker.controller) {
    navigator.serviceWorker.ready.then(({ active }) => active.postMessage({ keep: location.pathname }));
  }
  queue.forgetOthers();
  addEventListener("online", () => paintConnection());
  load();
  paintConnection();
  showTasks();
  focusScan();
} else {
  document.getElementById("insecure").hidden = false;
}
