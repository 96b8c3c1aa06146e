// What a scan answers: picture and words on the screen, a sound and a vibration in the hand.

const TICKS = [[1200, 15], [1200, 15]];
const KINDS = {
  ok: { tone: "good", notes: [[880, 80]], shake: [40] },
  substituted: { tone: "good", notes: [[880, 80]], shake: [40] },
  place: { tone: "good", notes: [[880, 80]], shake: [40] },
  tote: { tone: "good", notes: [[880, 80]], shake: [40] },
  wrong_tote: { tone: "bad", notes: [[220, 120], [220, 120], [220, 120]], shake: [200, 80, 200] },
  pending: { tone: "info", notes: TICKS, shake: [20, 20] },
  line_done: { tone: "good", notes: [[660, 80], [990, 80]], shake: [40, 40, 40] },
  job_done: { tone: "good", notes: [[660, 80], [990, 80]], shake: [40, 40, 40] },
  photo: { tone: "good", notes: [], shake: [] },
  closed_short: { tone: "good", notes: [[660, 80], [990, 80]], shake: [40, 40, 40] },
  closed: { tone: "good", notes: [[660, 80], [990, 80]], shake: [40, 40, 40] },
  paused: { tone: "info", notes: [], shake: [] },
  wrong_article: { tone: "bad", notes: [[220, 120], [220, 120], [220, 120]], shake: [200, 80, 200] },
  wrong_location: { tone: "bad", notes: [[220, 120], [220, 120], [220, 120]], shake: [200, 80, 200] },
  too_many: { tone: "warn", notes: [[330, 150], [330, 150]], shake: [150, 80, 150] },
  unknown: { tone: "warn", notes: [[330, 150], [330, 150]], shake: [150, 80, 150] },
  stale: { tone: "warn", notes: [[330, 150], [330, 150]], shake: [150, 80, 150] },
  rejected: { tone: "warn", notes: [[330, 150], [330, 150]], shake: [150, 80, 150] },
  ask: { tone: "warn", notes: [[660, 80], [660, 80]], shake: [40, 40] },
  offline: { tone: "info", notes: [], shake: [] },
  waiting: { tone: "info", notes: TICKS, shake: [20, 20] },
  login: { tone: "bad", notes: [[220, 400]], shake: [300] },
};

let audio;

// Browsers let a page sound only after a key or a tap.
for (const type of ["keydown", "pointerdown"]) {
  addEventListener(type, () => {
    audio ??= new AudioContext();
    if (audio.state === "suspended") audio.resume();
  }, { capture: true });
}

function play(notes) {
  if (!audio) return;
  let begin = audio.currentTime;
  for (const [hertz, milliseconds] of notes) {
    const oscillator = audio.createOscillator();
    oscillator.frequency.value = hertz;
    oscillator.connect(audio.destination);
    oscillator.start(begin);
    begin += milliseconds / 1000;
    oscillator.stop(begin);
    begin += 0.06;
  }
}

/** Show an answer in `box`: `{kind, text}`. Words come from the server, in the user's language. */
export function show(box, { kind, text }, { isQuiet = false } = {}) {
  const { tone, notes, shake } = KINDS[kind] ?? KINDS.unknown;
  const notice = document.createElement("p");
  notice.className = `notice notice-${tone}`;
  notice.dataset.kind = kind;
  notice.textContent = `${{ good: "✓", bad: "✗", warn: "▲", info: "◷" }[tone]} ${text}`;
  box.replaceChildren(notice);
  const { sound, vibration } = document.documentElement.dataset; // the person's settings
  if (isQuiet || localStorage.getItem("sound") === "off") return;
  if (sound !== "off") play(notes);
  if (vibration !== "off" && shake.length && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(shake);
}

/** Show what stands in the way of sending, until it is gone: heard when it begins, not with every try. Whether it is new. */
export function showObstacle(box, { kind, text }) {
  const shown = box.firstElementChild;
  const isKnown = shown?.dataset.kind === kind;
  if (isKnown && shown.textContent.includes(text)) return false;
  show(box, { kind, text }, { isQuiet: isKnown });
  return true;
}
