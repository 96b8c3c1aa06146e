// Points programs that were written for the reference platform at this server, without a change in them:
//
//   FULFILLMENT_URL=https://fulfillment.example.com node --import ./redirect.mjs app.mjs
//
// The API and both sign-in hosts are answered by the same server; every other request goes where it says.
const target = process.env.FULFILLMENT_URL;
if (!target) throw new Error("Set FULFILLMENT_URL to the address of your server, for example http://127.0.0.1:8000");

const SIGN_IN = new Set(["identitytoolkit.googleapis.com", "securetoken.googleapis.com"]);
const original = globalThis.fetch;

function redirected(address) {
  const url = new URL(address);
  if (SIGN_IN.has(url.hostname)) return new URL(`/${url.hostname}${url.pathname}${url.search}`, target);
  if (url.hostname.endsWith(".api.fulfillmenttools.com")) return new URL(url.pathname + url.search, target);
  return url;
}

globalThis.fetch = (input, options) =>
  input instanceof Request
    ? original(new Request(redirected(input.url), input), options)
    : original(redirected(String(input)), options);
