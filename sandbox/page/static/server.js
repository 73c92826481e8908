// Talking to the page's own server. Every failure becomes an Error whose message is a sentence for the person.

const GONE = "The sandbox does not answer. Is it still running in the terminal?";

/** One request; the answer's JSON, or null when it has none. */
export async function request(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(20000),
    });
  } catch {
    throw new Error(GONE);
  }
  const document = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(document.error ?? `The page's server answered ${answer.status}.`);
  return document;
}
