// Events of the server, for all modules of a page: live.on("stats", (data) => …).
const root = document.body.dataset.root;
const listeners = new Map();
let source = null;

function open() {
  source = new EventSource(`${root}/api/v1/events`);
  for (const name of listeners.keys()) source.addEventListener(name, hear);
  source.addEventListener("bye", close); // nothing has changed for minutes
  source.addEventListener("reload", () => location.reload());
}

function close() {
  source?.close();
  source = null;
}

function hear(event) {
  const data = JSON.parse(event.data);
  for (const listener of listeners.get(event.type)) listener(data);
}

export const live = {
  on(name, listener) {
    if (!listeners.has(name)) {
      listeners.set(name, []);
      source?.addEventListener(name, hear);
    }
    listeners.get(name).push(listener);
    if (source === null && !document.hidden) open();
  },
};

// A page that nobody sees needs no events; browsers allow six connections to a server.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else if (source === null) open();
});
window.addEventListener("focus", () => source ?? open());
window.addEventListener("pagehide", close);
