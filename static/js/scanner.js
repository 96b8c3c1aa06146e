// Shows what a scanner sends, character by character, so that its settings can be put right.

const texts = JSON.parse(document.getElementById("scanner-texts").textContent);
const facts = document.getElementById("facts");
const field = document.querySelector("[data-scan]");
const NAMES = { "\x1d": "GS", "\t": "TAB", " ": "␣" };
let keys = [];

function fact(name, text) {
  facts.querySelector(`[data-fact=${name}]`).textContent = text;
}

function layoutOf(text) {
  const wanted = facts.dataset.layout;
  if (text === wanted) return texts.right;
  return text.length === wanted.length && text.startsWith("LA") ? texts.wrong : texts.untested;
}

function tell(suffix) {
  const text = keys.map(({ key }) => key).join("");
  const gaps = keys.slice(1).map(({ at }, index) => at - keys[index].at);
  facts.hidden = false;
  fact("received", [...text].map((character) => NAMES[character] ?? character).join(" "));
  fact("aim", /^\][A-Za-z]\d/.test(text) ? text.slice(0, 3) : "–");
  fact("suffix", suffix);
  fact("gap", gaps.length ? `${Math.round(Math.max(...gaps))} ms` : "–");
  fact("layout", layoutOf(text.replace(/^\][A-Za-z]\d/, "")));
  keys = [];
  field.value = "";
}

addEventListener("keydown", (event) => {
  if (event.target !== field) return;
  if (event.key === "Enter" || event.key === "Tab") {
    if (!keys.length) return;
    event.preventDefault();
    tell(event.key);
  } else if (event.ctrlKey && event.key === "]") {
    event.preventDefault();
    keys.push({ key: "\x1d", at: event.timeStamp });
  } else if (event.key.length === 1) {
    keys.push({ key: event.key, at: event.timeStamp });
  }
});

// Android scanners insert text without usable keys.
field.addEventListener("input", (event) => {
  if (keys.length || (event.data ?? "").length < 4) return;
  keys = [...event.data].map((key) => ({ key, at: 0 }));
  tell("–");
});
