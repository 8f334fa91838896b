// Operators offered under the search field.
import { one } from "./page.js";

const field = one("#q");
const help = one(".search-help");

if (field && help) {
  const form = field.form;
  field.addEventListener("focus", () => (help.hidden = false));
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) help.hidden = true;
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") help.hidden = true;
  });
  help.addEventListener("mousedown", (event) => event.preventDefault());
  help.addEventListener("click", (event) => {
    const operator = event.target.closest("[data-operator]")?.dataset.operator;
    if (!operator) return;
    field.value = `${field.value.trimEnd()} ${operator}`.trimStart() + (operator.endsWith(":") ? "" : " ");
    field.focus();
  });
}
