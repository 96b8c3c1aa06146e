// The pack station: codes are booked one after the other, however fast they come, and the field is ready for the next.

import { focusScan, keepTyping, ScanInput } from "./scaninput.js";

const waiting = [];
let isSending = false;

/** Book what was scanned, in its order. The form is looked up each time: a booked scan brings a new one. */
async function send() {
  if (isSending) return;
  isSending = true;
  while (waiting.length) {
    const form = document.getElementById("scan-form");
    if (!form) break;
    const values = { ...Object.fromEntries(new FormData(form)), code: waiting.shift() };
    try {
      // Not from the form: its field may hold half of the next code, or nothing, which htmx would not send.
      await htmx.ajax("POST", form.action, { source: "#work", target: "#work", swap: "outerHTML", values });
    } catch {
      break; // no answer: see below
    }
  }
  waiting.length = 0;
  isSending = false;
  focusScan();
}

function book(code) {
  waiting.push(code);
  send();
}

// Whether a scan without an answer was booked is not known: the packer is told to look.
for (const type of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(type, () => {
    const words = document.getElementById("no-answer").content.cloneNode(true);
    document.getElementById("refusal").replaceChildren(words);
  });
}

keepTyping(new ScanInput(book));

document.addEventListener("submit", (event) => {
  if (event.target.id !== "scan-form") return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const field = event.target.querySelector("[data-scan]");
  const code = field.value.trim();
  field.value = "";
  if (code) book(code);
}, true);
