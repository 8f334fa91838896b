// A picture that cannot be shown small leaves an empty tile, not a browser's sign for something broken.
function giveUp(picture) {
  const tile = document.createElement("span");
  tile.className = "thumb";
  picture.replaceWith(tile);
}

document.addEventListener("error", (event) => event.target.matches?.("img.thumb") && giveUp(event.target), true);
for (const picture of document.querySelectorAll("img.thumb")) {
  if (picture.complete && !picture.naturalWidth) giveUp(picture);
}
