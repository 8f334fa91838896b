// "Sending… Undo" with the seconds that are left, as a ring and in words.
import { one, words } from "./page.js";
import { toast } from "./toasts.js";

const NS = "http://www.w3.org/2000/svg";
const ROUND = 2 * Math.PI * 7;

export function sending({ text, undo_url: undo, seconds, until, waits }) {
  if (waits) return toast({ text, undo_url: undo, seconds });
  const left = until ? Math.round((until - Date.now()) / 1000) : seconds;
  if (!undo || left <= 0) return toast({ text, seconds: 5 });
  toast({ text: `${text}…`, undo_url: undo, seconds: left });
  const box = one("#toasts").lastElementChild;
  const count = Object.assign(document.createElement("span"), { className: "seconds" });
  count.setAttribute("aria-hidden", "true");
  const ring = draw();
  box.prepend(ring.svg);
  one(".close", box).before(count);
  const ends = Date.now() + left * 1000;
  const tick = () => {
    const rest = (ends - Date.now()) / 1000;
    if (!box.isConnected) return clearInterval(timer);
    if (rest <= 0) {
      clearInterval(timer);
      return box.remove();
    }
    count.textContent = `${Math.ceil(rest)} s`;
    ring.arc.setAttribute("stroke-dasharray", `${(ROUND * rest) / left} ${ROUND}`);
  };
  const timer = setInterval(tick, 250);
  tick();
  if (words().undo) box.dataset.sending = "";
}

function draw() {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("class", "ring");
  svg.setAttribute("viewBox", "0 0 18 18");
  svg.setAttribute("aria-hidden", "true");
  const circles = [0, 1].map(() => {
    const circle = document.createElementNS(NS, "circle");
    for (const [name, value] of [["cx", 9], ["cy", 9], ["r", 7]]) circle.setAttribute(name, value);
    svg.append(circle);
    return circle;
  });
  return { svg, arc: circles[1] };
}
