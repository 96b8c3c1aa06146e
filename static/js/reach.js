// Whether the server can be reached. A browser without a network says "offline", though the server may be this very computer.

const PATIENCE = 3000;

/** Asks the server when the browser says that there is no connection; any answer at all will do. */
export async function isReachable() {
  if (navigator.onLine) return true;
  try {
    await fetch("/healthz", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    return true;
  } catch {
    return navigator.onLine; // it may be back meanwhile
  }
}
