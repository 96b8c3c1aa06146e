// Reads a scanner that types, and keeps what it types while the page changes.

/**
 * Calls `onCode` with what a scanner types, wherever the focus is. A scanner types fast and ends with Enter or Tab; the
 * second argument says whether the keys came as slowly as a person's.
 */
export class ScanInput {
  constructor(onCode, { gap = 60, idle = 150, min = 4 } = {}) {
    Object.assign(this, { onCode, gap, idle, min, buffer: "", last: 0, timer: 0, slow: 0 });
    addEventListener("keydown", (event) => this.key(event), true); // before buttons react
    addEventListener("input", (event) => { // Android scanners insert text without usable keys
      const field = event.target;
      if (!field.matches?.("[data-scan]")) return;
      clearTimeout(this.timer);
      if (/[\r\n\t]$/.test(field.value)) this.take(field);
      else if ((event.data ?? "").length >= this.min) this.timer = setTimeout(() => this.take(field), this.idle);
    }, true);
  }

  /** What stands in the field, behind what was typed before the field had the focus. */
  take(field) {
    const code = (this.buffer + field.value).trim();
    const isTyped = this.slow >= code.length;
    field.value = "";
    this.buffer = "";
    this.slow = 0;
    if (code) this.onCode(code, isTyped);
  }

  /** What of a scan has been typed so far, wherever it went. */
  begun() {
    const buffer = performance.now() - this.last < this.idle ? this.buffer : "";
    this.buffer = "";
    return buffer + (document.querySelector("[data-scan]")?.value ?? "");
  }

  key(event) {
    const element = document.activeElement;
    // A field that a scan just hid keeps the focus until the page is drawn: what is typed into it would be lost.
    const isShown = element?.checkVisibility();
    const scanning = isShown && element.matches("[data-scan]");
    const typing = isShown && element.matches("input:not([type=checkbox]):not([type=radio]), textarea, [contenteditable]");
    const choosing = isShown && element.matches("select, input[type=number]:not([data-scan])");
    const fast = event.timeStamp - this.last < this.gap;
    this.last = event.timeStamp;
    if (scanning && !element.value) this.slow = 0;
    if (!fast) this.slow += 1;
    const ends = event.key === "Enter" || (event.key === "Tab" && fast) || (event.ctrlKey && event.key === "j");
    if (ends) return this.end(event, element, scanning, typing && !this.isScan(choosing), fast);
    if (event.ctrlKey && event.key === "]") { // GS1 group separator
      event.preventDefault();
      if (scanning) element.value += "\x1d";
      else this.buffer += "\x1d";
      return;
    }
    if (!fast) this.before = choosing ? [element, element.value] : null;
    if (typing && !fast) this.buffer = "";
    if (typing && choosing && event.key.length === 1) this.buffer += event.key;
    if (typing || event.isComposing || event.altKey || event.metaKey || event.ctrlKey || event.key.length !== 1) return;
    this.buffer = fast ? this.buffer + event.key : event.key;
    if (fast || !isShown) event.preventDefault(); // a space of the code must not press a button
  }

  /** Whether so much came so fast into a field for a number that it can only be a code. */
  isScan(choosing) {
    return choosing && this.buffer.length >= 8;
  }

  end(event, element, scanning, typing, fast) {
    if (scanning && this.buffer + element.value) {
      event.preventDefault();
      event.stopPropagation();
      return this.take(element);
    }
    if (!typing && fast && this.buffer.length >= this.min) {
      event.preventDefault();
      event.stopPropagation();
      const code = this.buffer;
      this.buffer = "";
      if (this.before) this.before[0].value = this.before[1]; // what its keys chose or typed was not meant
      return this.onCode(code, false);
    }
    if (event.ctrlKey) event.preventDefault();
    this.buffer = "";
  }
}

/** A scanner does not wait for the page: what it typed into the old field goes on in the new one. So does what a person types. */
export function keepTyping(input) {
  let begun = "";
  let typed = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    begun = input.begun();
    const { id, value, selectionStart } = document.activeElement;
    typed = id && isTyping() && detail.requestConfig.verb === "get" ? { id, value, selectionStart } : null;
  });
  document.addEventListener("htmx:afterSwap", () => {
    const field = document.querySelector("[data-scan]");
    if (field) {
      field.value = begun;
      return focusScan();
    }
    const open = typed && document.getElementById(typed.id);
    if (!open) return;
    open.value = typed.value;
    open.focus({ preventScroll: true });
    if (typed.selectionStart !== null) open.setSelectionRange(typed.selectionStart, typed.selectionStart);
  });
}

/** Whether somebody types into an open field: then nothing takes the focus, and nothing is marked to be typed over. */
export function isTyping() {
  const field = document.activeElement;
  return field.matches("input:not([data-scan]), textarea") && field.value !== field.defaultValue;
}

export function focusScan() {
  document.querySelector("[data-scan]")?.focus({ preventScroll: true });
}
