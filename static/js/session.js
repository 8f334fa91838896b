// The session that is there now: signing in again in another tab leaves this page's forms with a token of the one before.
import { all, one } from "./page.js";

/** Gives every form of this page a token that counts; false while nobody is signed in, or somebody else is. */
export async function renewed() {
  const place = one("#composers");
  const answer = await fetch(place.dataset.compose, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html"); // runs nothing, loads nothing
  if (one("#composers", page)?.dataset.person !== place.dataset.person) return false;
  const { value } = one('[name="csrfmiddlewaretoken"]', page);
  for (const field of all('[name="csrfmiddlewaretoken"]')) field.value = value;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": value }));
  return true;
}
