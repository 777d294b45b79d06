// A page's requests to its server. The token is after the `#` of the address; it is only sent in a header.

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");

/** The server refused the request. */
export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

/** Sends a request and returns the answer from JSON; with a body it is a POST. */
export async function ask(path, body) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  const response = await fetch(path, {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(70_000),
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let why = text.trim();
  try {
    why = JSON.parse(text).error;
  } catch {
    // Not every refusal is JSON; use the text.
  }
  throw new Refused(response.status, why || `the server answered ${response.status}`);
}
