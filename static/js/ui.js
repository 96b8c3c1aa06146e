// Small behaviours of every page: menus close, doubtful steps are confirmed, papers are printed, numbers step.

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A wrong code that stands in the field is replaced by the next scan, not continued.
const selectScanned = (field) => field?.matches("input[autofocus]") && field.select();
document.addEventListener("focusin", (event) => selectScanned(event.target));
selectScanned(document.activeElement);

// Keeps the pick pages for a device without a connection; needs https.
navigator.serviceWorker?.register("/sw.js");

// Sound and vibration of scans: on, until switched off for this device. feedback.js reads the same key.
for (const button of document.querySelectorAll("[data-sound-switch]")) {
  const paint = () => button.setAttribute("aria-pressed", String(localStorage.getItem("sound") !== "off"));
  button.hidden = false;
  button.addEventListener("click", () => {
    localStorage.setItem("sound", localStorage.getItem("sound") === "off" ? "on" : "off");
    paint();
  });
  paint();
}

// <button data-confirm="Question?">: asks before its form is sent. The dialog repeats the words of the button.
const confirmed = new WeakSet();

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const question = button?.dataset.confirm;
  if (!question || confirmed.delete(button)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const dialog = document.createElement("dialog");
  const text = Object.assign(document.createElement("p"), { id: "question", textContent: question });
  const yes = Object.assign(document.createElement("button"), { textContent: button.textContent.trim(), className: "btn btn-danger btn-big" });
  const no = Object.assign(document.createElement("button"), { textContent: document.body.dataset.back, className: "btn btn-big", autofocus: true });
  dialog.className = "stack";
  dialog.setAttribute("aria-labelledby", "question");
  dialog.append(text, yes, no);
  document.body.append(dialog);
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => {
    dialog.close();
    confirmed.add(button);
    button.form.requestSubmit(button);
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}, true);

// <button data-step="up">: beside a number field; without JavaScript the field alone does it.
for (const button of document.querySelectorAll("button[data-step]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const field = button.parentElement.querySelector("input");
    if (button.dataset.step === "up") field.stepUp();
    else field.stepDown();
  });
}

// <button data-copy="#id">: the text of that element goes to the clipboard; the button says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.querySelector("[data-done]").textContent = button.dataset.copied;
  } catch {
    getSelection().selectAllChildren(source); // no clipboard without https: it is marked, ready for the keys
  }
});

// <button data-print="address of a PDF">: the browser's print dialog, without leaving the page.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-print]");
  if (!button) return;
  event.preventDefault();
  print(button.dataset.print);
});

// <form data-print-form>: its answer is sent on to a PDF, which is printed without leaving the page.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-print-form]");
  if (!form) return;
  event.preventDefault();
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" }).catch(() => null);
  if (answer?.ok && answer.headers.get("Content-Type") === "application/pdf") print(answer.url);
  else form.submit(); // the server says on a page of its own what is wrong
});

function print(address) {
  document.querySelector("iframe.print")?.remove();
  const frame = Object.assign(document.createElement("iframe"), { className: "print", src: address });
  frame.addEventListener("load", () => frame.contentWindow.print());
  document.body.append(frame);
}

// Whoever is asked to sign in has left the work: the next person finds the device open (see lock.js).
if (document.querySelector("[data-door]")) localStorage.removeItem("locked");

// What a page told when it was left, once: a kept page never tells it again.
const told = JSON.parse(sessionStorage.getItem("told") ?? "null");
sessionStorage.removeItem("told");
if (told) {
  const notice = Object.assign(document.createElement("p"), { className: `notice notice-${told.tone}`, textContent: told.text });
  notice.setAttribute("role", "status");
  notice.dataset.told = "";
  document.getElementById("content").prepend(notice);
}
