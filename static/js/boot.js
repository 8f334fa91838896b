// Before the first paint: the width of the list and the shape of the rail as this person left them.
const root = document.documentElement;
try {
  const list = Number(localStorage.getItem("list-width"));
  if (list >= 360 && list <= 560) root.style.setProperty("--list-chosen", `${list}px`);
  if (localStorage.getItem("rail") === "icons") root.dataset.rail = "icons";
} catch {
  // storage refused: the usual widths
}
