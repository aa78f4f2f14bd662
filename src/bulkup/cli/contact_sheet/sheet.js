"use strict";
(() => {
  const page = document.documentElement;
  const box = document.getElementById("filter");
  const dialog = document.querySelector("dialog");
  const frames = [...document.querySelectorAll(".frame")];
  const cell = (frame) => frame.closest("li");
  const shown = () => frames.filter((frame) => !cell(frame).hidden);
  let open = null;

  const focus = (frame) => {
    if (!frame) return;
    for (const other of frames) other.tabIndex = other === frame ? 0 : -1;
    frame.focus();
    frame.scrollIntoView({ block: "nearest" });
  };

  // The frame one row up or down whose middle is nearest; rows are found by where frames are.
  const beside = (from, direction) => {
    const here = from.getBoundingClientRect();
    const middle = (rect) => rect.left + rect.width / 2;
    const all = shown().map((frame) => [frame, frame.getBoundingClientRect()]);
    const there = all.filter(([, rect]) => (rect.top - here.top) * direction > here.height / 2);
    if (!there.length) return null;
    const tops = there.map(([, rect]) => rect.top * direction);
    const row = Math.min(...tops);
    const distance = (rect) => Math.abs(middle(rect) - middle(here));
    return there
      .filter(([, rect]) => rect.top * direction - row < here.height / 2)
      .reduce((best, one) => (distance(one[1]) < distance(best[1]) ? one : best))[0];
  };

  const neighbour = (from, key) => {
    const all = shown();
    const at = all.indexOf(from);
    switch (key) {
      case "ArrowRight": return all[at + 1];
      case "ArrowLeft": return all[at - 1];
      case "Home": return all[0];
      case "End": return all[all.length - 1];
      case "ArrowDown": return beside(from, 1);
      case "ArrowUp": return beside(from, -1);
      default: return null;
    }
  };

  const show = (frame) => {
    if (!frame) return;
    open = frame;
    const from = cell(frame);
    const picture = frame.querySelector(".mat").firstElementChild.cloneNode(true);
    dialog.querySelector(".large").replaceChildren(picture);
    dialog.querySelector("h3").replaceChildren(...from.querySelector(".name").cloneNode(true).childNodes);
    const facts = from.querySelector("dl").cloneNode(true);
    facts.hidden = false;
    dialog.querySelector("dl").replaceWith(facts);
    if (!dialog.open) dialog.showModal();
  };

  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const frame of frames) {
      const text = cell(frame).textContent.toLowerCase();
      cell(frame).hidden = !words.every((word) => text.includes(word));
    }
    for (const section of document.querySelectorAll("section")) {
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    const count = shown().length;
    document.getElementById("count").textContent =
      words.length ? `${count} of ${frames.length} shown` : "";
    if (count && !shown().some((frame) => frame.tabIndex === 0)) shown()[0].tabIndex = 0;
  };

  document.addEventListener("click", (event) => {
    const frame = event.target.closest(".frame");
    if (frame) { focus(frame); show(frame); }
    if (event.target === dialog || event.target.closest(".close")) dialog.close();
  });
  dialog.addEventListener("close", () => { const last = open; open = null; focus(last); });
  box.addEventListener("input", filter);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.open) {
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
        show(neighbour(open, event.key));
        event.preventDefault();
      }
      return;
    }
    if (document.activeElement === box) {
      if (event.key === "Escape") { box.value = ""; filter(); focus(shown()[0]); }
      if (event.key === "Enter" || event.key === "ArrowDown") { focus(shown()[0]); event.preventDefault(); }
      return;
    }
    if (event.key === "/") { box.focus(); box.select(); event.preventDefault(); return; }
    if (!/^(Arrow|Home$|End$)/.test(event.key)) return;
    const here = document.activeElement.closest(".frame");
    const next = here ? neighbour(here, event.key) : shown()[0];
    if (next) { focus(next); event.preventDefault(); }
  });

  frames.forEach((frame, at) => { frame.tabIndex = at ? -1 : 0; });
  page.classList.add("live");
})();
