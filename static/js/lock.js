// A shared device locks when nobody uses it: whoever comes next comes in with the own badge. Without a connection nobody
// can, so the page is covered, also over a reload, until there is one, or until the badge of the same person opens it.

const form = document.getElementById("lock");
const cover = document.getElementById("locked");
const field = cover.querySelector("input");
const wrong = cover.querySelector("[data-wrong]");
let used = Date.now();

function isLocked() {
  return localStorage.getItem("locked") === "yes";
}

function lock() {
  localStorage.setItem("locked", "yes");
  if (!cover.open) cover.showModal();
  leave();
}

/** Sign out as soon as the server hears of it. */
async function leave() {
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    redirect: "manual",
    signal: AbortSignal.timeout(6000),
  }).catch(() => null);
  if (answer?.type === "opaqueredirect") location.assign(form.dataset.signIn);
  else if (answer?.status === 403) location.reload(); // the form is from before the last sign-in
}

async function digest(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

cover.addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = field.value.trim().toUpperCase();
  field.value = "";
  if (!code) return;
  // Without https there is no digest: then the connection is waited for.
  wrong.hidden = isSecureContext && Boolean(form.dataset.badge) && (await digest(code)) === form.dataset.badge;
  if (!wrong.hidden) return;
  used = Date.now();
  localStorage.removeItem("locked");
  cover.close();
  document.querySelector("[data-scan]")?.focus({ preventScroll: true });
});

cover.addEventListener("close", () => isLocked() && cover.showModal()); // Escape opens nothing
for (const type of ["keydown", "pointerdown", "input"]) {
  addEventListener(type, () => { used = Date.now(); }, { capture: true });
}
addEventListener("online", () => cover.open && leave());
setInterval(() => {
  if (!cover.open && Date.now() - used > Number(form.dataset.minutes) * 60_000) lock();
}, 1000);
setInterval(() => cover.open && leave(), 5000);

if (isLocked()) lock();
