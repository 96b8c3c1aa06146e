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

// <button data-print="address of a PDF">: the browser's print dialog, without leaving the page.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-print]");
  if (!button) return;
  event.preventDefault();
  document.querySelector("iframe.print")?.remove();
  const frame = Object.assign(document.createElement("iframe"), { className: "print", src: button.dataset.print });
  frame.hidden = true;
  frame.addEventListener("load", () => frame.contentWindow.print());
  document.body.append(frame);
});
