// Endless scrolling that can be bookmarked, and arrow keys between pictures.
const gallery = document.querySelector("[data-gallery]");
const timeline = document.querySelector("[data-timeline]");
if (timeline && matchMedia("(min-width: 60rem)").matches) timeline.open = true;

const places = new IntersectionObserver(
  (entries) => {
    const seen = entries.filter((entry) => entry.isIntersecting).at(-1);
    const place = seen?.target.dataset.place;
    if (!place) return;
    const url = new URL(location.href);
    url.searchParams.delete("until");
    if (document.scrollingElement.scrollTop < 10 && !url.searchParams.has("from")) return;
    url.searchParams.set("from", place);
    history.replaceState(history.state, "", url);
  },
  { rootMargin: "-80px 0px -85% 0px" },
);

const more = new IntersectionObserver(
  (entries) => {
    if (entries.some((entry) => entry.isIntersecting)) load();
  },
  { rootMargin: "1500px" },
);

function watch(part) {
  for (const day of part.querySelectorAll(".day")) places.observe(day);
  const older = gallery.querySelector("[data-older]");
  if (older) more.observe(older);
}

let isLoading = false;

async function load() {
  const older = gallery.querySelector("[data-older]");
  if (!older || isLoading) return;
  isLoading = true;
  try {
    const answer = await fetch(older.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("[data-gallery]");
    next.querySelector("[rel=prev]")?.closest("p").remove();
    more.unobserve(older);
    join(next);
    older.closest("p").remove();
    gallery.append(...next.children);
    watch(gallery);
  } finally {
    isLoading = false;
  }
}

// A day that is on two pages is one.
function join(next) {
  const last = [...gallery.querySelectorAll(".day")].at(-1);
  const first = next.querySelector(".day");
  const title = (day) => day?.querySelector("h2")?.textContent;
  if (last && first && title(last) === title(first)) {
    last.querySelector(".tiles").append(...first.querySelector(".tiles").children);
    first.remove();
  }
}

document.addEventListener("keydown", (event) => {
  const tiles = [...gallery.querySelectorAll("a.tile")];
  const at = tiles.indexOf(document.activeElement);
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
  if (at < 0 || !(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const isVertical = event.key === "ArrowDown" || event.key === "ArrowUp";
  const target = isVertical ? below(tiles, at, steps[event.key]) : tiles[at + steps[event.key]];
  target?.focus();
});

// The nearest picture in the next row of that direction.
function below(tiles, at, step) {
  const here = tiles[at].getBoundingClientRect();
  const middle = here.left + here.width / 2;
  let best = null;
  let row = null;
  for (let next = at + step; tiles[next]; next += step) {
    const box = tiles[next].getBoundingClientRect();
    if (Math.abs(box.top - here.top) < 4) continue;
    row ??= box.top;
    if (Math.abs(box.top - row) > 4) break;
    const distance = Math.abs(box.left + box.width / 2 - middle);
    if (best === null || distance < best.distance) best = { distance, tile: tiles[next] };
  }
  return best?.tile;
}

if (gallery) watch(gallery);
