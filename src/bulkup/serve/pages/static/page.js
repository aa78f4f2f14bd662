// On every page: the bell, the search by example, and the keys / (search) and g with a letter (go to a page).
import { live } from "./live.js";

const root = document.body.dataset.root;
const bell = document.querySelector("[data-unread]");

live.on("stats", (stats) => {
  bell.textContent = stats.unread || "";
});

const PAGES = { g: "/", d: "/duplicates", a: "/activity", f: "/failures", u: "/upload", n: "/notifications" };
let isGoing = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (isGoing && PAGES[event.key]) location.href = root + PAGES[event.key];
  isGoing = event.key === "g" && !isGoing;
  const search = document.querySelector("#q");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

const example = document.querySelector("[data-example]");
if (example) example.hidden = false;
example?.querySelector("input").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const main = document.querySelector("main");
  main.setAttribute("aria-busy", "true");
  const answer = await fetch(`${root}/search-by-example`, {
    method: "POST",
    headers: { Accept: "text/html" },
    body: file,
  });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  main.replaceWith(page.querySelector("main"));
  document.title = page.title;
  document.querySelector("main").focus();
  event.target.value = "";
});
