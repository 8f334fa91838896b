// Shows a password while its eye is pressed in.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-reveal] > button");
  if (!button) return;
  const field = button.parentElement.querySelector("input");
  const shown = field.type === "text";
  field.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
});
