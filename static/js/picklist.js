// The lists of jobs and of runs by scanner: “Next” takes the next work, any other code finds its job.

import { ScanInput } from "./scaninput.js";

const commands = JSON.parse(document.getElementById("commands").textContent);
const search = document.querySelector("[role=search]");

function onCode(code) {
  const command = commands[code.toUpperCase()];
  if (command === "next") document.querySelector("[data-command=next]")?.click();
  if (command || !search) return;
  search.elements.q.value = code;
  search.requestSubmit();
}

new ScanInput(onCode);

// A command that was scanned into the search field is none the less a command.
search?.addEventListener("submit", (event) => {
  const code = search.elements.q.value.trim();
  if (!commands[code.toUpperCase()]) return;
  event.preventDefault();
  search.elements.q.value = "";
  onCode(code);
});
