// Small behaviours of every page: menus close, doubtful steps are confirmed, papers are printed.

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
  document.querySelector("iframe.print")?.remove();
  const frame = Object.assign(document.createElement("iframe"), { className: "print", src: button.dataset.print });
  frame.addEventListener("load", () => frame.contentWindow.print());
  document.body.append(frame);
});
