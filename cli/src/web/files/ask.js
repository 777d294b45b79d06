// How a page asks its server. The token comes behind the `#` of the address and goes no further than a header.

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");

/** A request that was refused: not to be tried again. */
export class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

/** The answer as JSON; with a body it is a POST. */
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
    // Not every refusal is JSON: the text will do.
  }
  throw new Refused(response.status, why || `the server answered ${response.status}`);
}
