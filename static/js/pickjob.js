// A pick job in the hand: what the server said last, and what was done here since. Knows the rules of `picking/scans.py`,
// so that the picker is told at once, with or without a connection. The server decides all the same.

const TOTE = /^T[0-9A-HJ-NP-X]{11}$/i; // our own codes on load units: what they stand for the server knows

const TAIL = /^[0-9A-Z-]{4,12}$/i; // what a person types of a code, as the screen shows it behind “…”

/**
 * `data`, as the page brings it:
 * `{id, version, rules: {article, location, override, unknown}, history: [[line, picked, short]], lines: [{id, title,
 * sku, codes: {code: units}, quantity, picked, short, reason, place, is_scanned, records: [[part, label]],
 * weight: [grams of one, tolerance in %] or null, places: [{id, name, zone, codes, quantity}], replaces, instead,
 * attributes: [[id, name, value, whether it must be recorded]], substitutes: [what a line has of its article, and free]}]}`; an entry of the history may have units that left a line
 * for its substitute as its fourth. In a run a line has `orders: [[order, units]]`, which get their units in this order.
 */
export class PickJob {
  constructor(data) {
    this.data = data;
    this.pending = [];
    this.skipped = []; // lines that come later, by the picker's wish
    this.replay();
  }

  /** The state anew: the server's, then every action of ours that has no answer yet. */
  replay() {
    this.lines = this.data.lines.map((line) => ({ ...line }));
    this.history = this.data.history.slice();
    this.leaving = ""; // "close" or "pause": picked to the end here, or put aside
    for (const item of this.pending) this.take(item);
  }

  take(item) {
    const { kind, effect, opened } = item;
    if (kind === "close" || kind === "pause") this.leaving = kind;
    if (opened && this.line(opened.line)) this.line(opened.line).place = opened.place;
    if (!effect) return;
    if (effect.attribute) return keepValue(this.line(effect.line), effect);
    if (effect.moved) move(this.lines, item);
    const line = this.line(effect.moved > 0 ? substituteOf(this.lines, item).id : effect.line);
    if (!line) return;
    if (!effect.moved) count(line, effect, this.data.rules);
    if (kind === "undo") this.history.pop();
    else this.history.push([line.id, effect.picked ?? 0, effect.short ?? 0, effect.moved ?? 0]);
  }

  /** The server's answer to an action: its figures hold. */
  confirm(item, answer) {
    this.pending = this.pending.filter(({ id }) => id !== item.id);
    if (item.effect?.moved && answer.kind === "substituted") {
      move(this.data.lines, item);
      if (item.kind === "undo") this.data.history.pop();
      else this.data.history.push([substituteOf(this.data.lines, item).id, 0, 0, item.effect.moved]);
      if (answer.job) this.data.version = answer.job.version;
      return this.replay();
    }
    const figures = answer.line && this.data.lines.find(({ id }) => id === answer.line.id);
    if (figures) {
      if (item.effect || answer.line.picked !== figures.picked || answer.line.short !== figures.short) {
        const change = [figures.id, answer.line.picked - figures.picked, answer.line.short - figures.short];
        if (item.kind === "undo") this.data.history.pop();
        else if (change[1] || change[2]) this.data.history.push(change);
      }
      const { picked, short, reason, place, is_scanned, attributes = figures.attributes } = answer.line;
      Object.assign(figures, { picked, short, reason, place, is_scanned, attributes });
    }
    if (answer.job) this.data.version = answer.job.version;
    return this.replay();
  }

  /** Whether somebody else counted too: then the page is loaded anew. */
  differsFrom(answer) {
    const known = this.data.lines.reduce((sum, line) => sum + line.picked + line.short, 0);
    return Boolean(answer.job) && answer.job.units_done !== known;
  }

  line(id) {
    return this.lines.find((line) => line.id === id);
  }

  /** The line to pick now: in the order of the walk, what was skipped last. */
  get current() {
    const rest = this.lines.filter(isOpen);
    return rest.find(({ id }) => !this.skipped.includes(id)) ?? this.skipped.map((id) => rest.find((line) => line.id === id)).find(Boolean);
  }

  /** Leave the current line for later; the next one when there is another. */
  skip() {
    const { current } = this;
    if (!current) return null;
    this.skipped = [...this.skipped.filter((id) => id !== current.id), current.id];
    return { title: current.title, next: this.current.title };
  }

  get units() {
    return this.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  }

  get unitsDone() {
    return this.lines.reduce((sum, { picked, short }) => sum + picked + short, 0);
  }

  /** How far each order of a run is: `Map {order: [units done, units]}`. */
  get orders() {
    const found = new Map();
    for (const { picked, short, orders = [] } of this.lines) {
      let done = picked + short;
      for (const [order, units] of orders) {
        const [before, all] = found.get(order) ?? [0, 0];
        const mine = Math.min(done, units);
        done -= mine;
        found.set(order, [before + mine, all + units]);
      }
    }
    return found;
  }

  /**
   * What comes of an action, as far as can be known here: `{kind, words, effect, opened}`. `kind` is empty when only the
   * server knows. `effect` is what it changes: `{line, picked, short}`; without one nothing is booked.
   */
  judge(action) {
    return this[action.kind]?.(action) ?? {};
  }

  scan({ code: text, typed }) {
    const { current } = this;
    const isTail = typed && TAIL.test(text) && !this.#isKnown(text);
    const code = isTail ? fullCode(current, text) : text;
    if (!code) return {}; // perhaps the tail of a tote
    const scanned = read(code);
    const matching = this.lines.filter((line) => unitsOf(line, scanned));
    if (!matching.length) return this.#other(scanned, current);
    const line = (matching.includes(current) && current) || (matching.find(isOpen) ?? matching.at(-1));
    const units = unitsOf(line, scanned);
    return this.#tooMany(line, units) ?? this.#place(line) ?? this.#record(line, units, scanned)
      ?? this.#book({ line: line.id, picked: units, short: 0, is_scanned: true });
  }

  #isKnown(text) {
    return this.lines.some((line) => unitsOf(line, read(text)) || openPlaces(line).some((place) => isPlace(place, text)));
  }

  #other(scanned, current) {
    if (TOTE.test(scanned.text)) return {};
    const place = current && openPlaces(current).find((one) => isPlace(one, scanned.code));
    if (place) {
      return { kind: "place", words: { location: place.name }, opened: { line: current.id, place: place.id } };
    }
    if (this.data.rules.unknown) return {};
    if (!current) return { kind: "unknown", words: { code: scanned.code } };
    const choice = current.substitutes.find((one) => unitsOf(one, scanned));
    if (choice) return { kind: "not_here", text: "may_replace", words: { scanned: choice.title, expected: current.title } };
    return { kind: "not_here", words: { scanned: scanned.code, expected: current.title } };
  }

  quantity({ line: id, quantity, lot, serial, weight, expires_on: expiresOn }) {
    const line = this.line(id);
    if (!line || !(quantity > 0)) return {};
    const { article, override } = this.data.rules;
    const refused = this.#tooMany(line, quantity);
    if (refused) return refused;
    if (!override) {
      if (article === "MUST_SCAN_EACH") return { kind: "must_scan_each", words: { title: line.title } };
      if (article === "MUST_SCAN_FIRST" && !line.is_scanned) return { kind: "must_scan", words: { title: line.title } };
      const unopened = this.#place(line);
      if (unopened) return unopened;
    }
    return this.#record(line, quantity, { lot, serial, weight, expiry: expiresOn })
      ?? this.#book({ line: id, picked: quantity, short: 0 });
  }

  short({ line: id, reason }) {
    const line = this.line(id);
    if (!line || (!reason && this.data.rules.reasons.length) || !isOpen(line)) return {};
    const short = open(line);
    const answer = this.#book({ line: id, picked: 0, short, reason: reason ?? "OTHER" });
    return { ...answer, text: "short", words: { short: line.short + short, title: line.title } };
  }

  substitute({ line: id, code, quantity }) {
    const line = this.line(id);
    const choice = line?.substitutes.find(({ sku }) => sku === code);
    if (!choice || !isOpen(line)) return {};
    const moved = quantity || Math.min(open(line), choice.free);
    return { kind: "substituted", words: { units: moved, title: choice.title }, effect: { line: id, sku: code, moved } };
  }

  attribute({ line: id, attribute, code: value = "" }) {
    const line = this.line(id);
    if (!line) return {};
    const words = { title: line.title, value: value || "–" };
    return { kind: "ok", text: "attribute", words, effect: { line: id, attribute, value } };
  }

  undo() {
    const last = this.history.at(-1);
    if (!last) return {};
    const [id, picked, short, moved] = last;
    const line = this.line(id);
    if (moved) {
      const words = { title: line.instead };
      return { kind: "substituted", text: "after_all", words, effect: { line: line.replaces, sku: line.sku, moved: -moved } };
    }
    const effect = { line: id, picked: -picked, short: -short };
    return { kind: "ok", text: "undone", words: { title: line.title, picked: line.picked - picked, quantity: line.quantity }, effect };
  }

  close() {
    return this.current ? {} : { kind: "pending", text: "closing", words: {} };
  }

  pause() {
    return { kind: "pending", text: "pausing", words: {} };
  }

  #tooMany(line, units) {
    if (isOpen(line) && units <= open(line)) return null;
    return { kind: "too_many", words: { open: open(line), title: line.title } };
  }

  #place(line) {
    if (this.data.rules.location === "SCAN_NOT_REQUIRED") return null;
    const [here] = openPlaces(line);
    if (!here || line.place === here.id) return null;
    return { kind: "wrong_location", text: "location_first", words: { expected: here.name } };
  }

  #record(line, units, found) {
    const unknown = (line.attributes ?? []).filter(([, , value, isMandatory]) => isMandatory && !value).map(([, name]) => name);
    if (units >= open(line) && unknown.length) {
      return { kind: "unknown", text: "attribute_missing", words: { title: line.title, parts: unknown.join(", ") } };
    }
    const missing = line.records.filter(([part]) => !found[part]).map(([, name]) => name);
    if (missing.length) return { kind: "unknown", text: "record_missing", words: { title: line.title, parts: missing.join(", ") } };
    if (units > 1 && line.records.some(([part]) => part === "serial")) {
      return { kind: "too_many", text: "serial_one_by_one", words: { title: line.title } };
    }
    if (line.weight && !isWithin(found.weight, weightRange(line, units))) {
      const [least, most] = weightRange(line, units);
      return { kind: "too_many", text: "weight_off", words: { title: line.title, weight: found.weight, least, most } };
    }
    return null;
  }

  #book(effect) {
    const line = { ...this.line(effect.line) };
    count(line, effect, this.data.rules);
    const { picked, quantity, title } = line;
    if (isOpen(line)) return { kind: "ok", words: { picked, quantity }, effect };
    const others = this.lines.some((other) => other.id !== line.id && isOpen(other));
    return { kind: others ? "line_done" : "job_done", words: { title }, effect };
  }
}

function count(line, { picked, short, reason, is_scanned: isScanned }, rules) {
  line.picked += picked;
  line.short += short;
  if (reason) line.reason = reason;
  if (isScanned) line.is_scanned = true;
  if (picked > 0 && rules.location === "MUST_SCAN_EACH") line.place = "";
  if (!line.picked) Object.assign(line, { place: "", is_scanned: false });
}

function keepValue(line, { attribute, value }) {
  if (!line) return;
  line.attributes = line.attributes.map((one) => (one[0] === attribute ? [one[0], one[1], value, one[3]] : one));
}

/** Units of a line go to its substitute, which becomes a line behind it, or (moved < 0) come back. */
function move(lines, item) {
  const { line: id, sku, moved } = item.effect;
  const line = lines.find((one) => one.id === id);
  let other = substituteOf(lines, item);
  if (!other) {
    const choice = line.substitutes.find((one) => one.sku === sku);
    const empty = { quantity: 0, picked: 0, short: 0, reason: "", place: "", is_scanned: false, substitutes: [] };
    other = { ...choice, ...empty, id: item.id, into: line.into, orders: [], replaces: id, instead: line.title };
    lines.splice(lines.indexOf(line) + 1, 0, other);
  }
  if (line.orders) moveOrders(line, other, moved);
  line.quantity -= moved;
  other.quantity += moved;
}

/** The orders whose units these are: what is open goes, in their order, and comes back. */
function moveOrders(line, other, moved) {
  const [from, to] = moved > 0 ? [line, other] : [other, line];
  let done = from.picked + from.short;
  let rest = Math.abs(moved);
  const left = [];
  const shares = new Map(to.orders);
  for (const [order, units] of from.orders) {
    const fixed = Math.min(done, units);
    done -= fixed;
    const share = Math.min(units - fixed, rest);
    rest -= share;
    if (units > share) left.push([order, units - share]);
    if (share) shares.set(order, (shares.get(order) ?? 0) + share);
  }
  from.orders = left;
  to.orders = [...shares];
}

function substituteOf(lines, { effect: { line, sku } }) {
  return lines.find((one) => one.replaces === line && one.sku === sku);
}

export function open({ quantity, picked, short }) {
  return quantity - picked - short;
}

export function isOpen(line) {
  return open(line) > 0;
}

/** Where the units of a line that are still open are: what was picked came from the first places of the walk. */
export function openPlaces(line) {
  let gone = line.picked + line.short;
  const found = [];
  for (const place of line.places) {
    const here = Math.max(place.quantity - gone, 0);
    gone = Math.max(gone - place.quantity, 0);
    if (here && place.id) found.push({ ...place, quantity: here });
  }
  return found;
}

/** Grams that so many units of a weighed line may weigh: [least, most]. */
export function weightRange({ weight: [grams, tolerance] }, units) {
  const off = Math.floor((grams * units * tolerance) / 100);
  return [grams * units - off, grams * units + off];
}

function isWithin(value, [least, most]) {
  return least <= value && value <= most;
}

function isPlace({ codes, name }, code) {
  return name.toLowerCase() === code.toLowerCase() || codes.includes(code);
}

/** The code of what the line expects that ends like this; empty unless it is one thing alone. */
function fullCode(line, tail) {
  if (!line) return "";
  const ofArticle = Object.keys(line.codes).filter((code) => line.codes[code] === 1);
  const things = [ofArticle, ...openPlaces(line).map(({ name, codes }) => [name, ...codes])];
  const found = things.map((codes) => codes.find((code) => code.toUpperCase().endsWith(tail.toUpperCase()))).filter(Boolean);
  return found.length === 1 ? found[0] : "";
}

function unitsOf(line, { text, code, label }) {
  const found = line.codes[key(code)] ?? line.codes[text];
  if (!found && label && line.weight && Object.keys(line.codes).some((known) => known.startsWith(label))) return 1;
  return found ?? (line.sku === text ? 1 : 0);
}

/** A GTIN with leading zeros is the same number as without. */
function key(code) {
  return /^\d{8,14}$/.test(code) ? code.replace(/^0+/, "") : code;
}

// GS1 application identifiers with a fixed number of characters behind them, by their first two digits.
const FIXED = { "00": 18, "01": 14, "02": 14, 11: 6, 12: 6, 13: 6, 15: 6, 16: 6, 17: 6, 20: 2, 31: 8 };
const PARTS = { 10: "lot", 15: "expiry", 17: "expiry", 21: "serial" };

/** What a scanned text says: `{text, code}`, of a GS1 code also `lot`, `serial`, `expiry` and `weight` (grams). */
export function read(scanned) {
  const text = scanned.trim().replace(/^\][A-Za-z]\d/, "").replaceAll("|", "\x1d").replace(/^\x1d+|\x1d+$/g, "");
  let rest = text.replace(/^\(01\)/, "01");
  // The label of a scale in the store: 2, five digits of the article, five of the weight.
  if (/^2\d{12}$/.test(text)) return { text, code: text, label: `${text.slice(0, 7)}00000`, weight: Number(text.slice(7, 12)) };
  if (!/^01\d{14}/.test(rest)) return { text, code: text };
  const found = { text, code: rest.slice(2, 16) };
  while (rest) {
    const ai = rest.slice(0, 2);
    const length = FIXED[ai];
    const end = length ? 2 + length : rest.indexOf("\x1d") < 0 ? rest.length : rest.indexOf("\x1d");
    if (!length && !PARTS[ai]) break;
    if (PARTS[ai]) found[PARTS[ai]] = rest.slice(2, end);
    if (/^310[0-5]/.test(rest)) found.weight = Math.floor(Number(rest.slice(4, 10)) / 10 ** (Number(rest[3]) - 3) + 1e-6);
    rest = rest.slice(end).replace(/^\x1d+/, "");
  }
  return found;
}
