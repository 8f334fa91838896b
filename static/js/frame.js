// Gives a message's frame the height its document reports. Only that frame's own window is believed, within bounds.
const TALLEST = 20000;

addEventListener("message", (event) => {
  const height = Number(event.data?.h);
  if (!Number.isFinite(height) || height < 0) return;
  for (const frame of document.querySelectorAll("iframe.mail-frame")) {
    if (frame.contentWindow === event.source) frame.style.blockSize = `${Math.min(TALLEST, Math.ceil(height))}px`;
  }
});

// A frame that was ready before this module has told its height to nobody: it is asked once.
for (const frame of document.querySelectorAll("iframe.mail-frame")) frame.contentWindow?.postMessage("height", "*");
