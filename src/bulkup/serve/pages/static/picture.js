// Arrow keys lead to the neighbours, Escape to the gallery.
const KEYS = { ArrowLeft: "prev", ArrowRight: "next", Escape: "up" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  if (event.key in KEYS) document.querySelector(`.pager a[rel=${KEYS[event.key]}]`)?.click();
});

// The neighbours' previews, so that the next key shows them at once.
for (const link of document.querySelectorAll(".pager a[data-shown]")) {
  new Image().src = link.href.replace("/picture/", "/api/v1/preview/");
}
