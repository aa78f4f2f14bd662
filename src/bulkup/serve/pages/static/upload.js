// Files go straight to the destination: hashed here, registered with the server, then PUT to the
// URLs that it signs. A URL is good for five minutes, so each attempt asks for a new one.
import { keptFiles } from "./kept_files.js";
import { digestOf } from "./sha256.js";

const root = document.body.dataset.root;
const api = `${root}/api/v1`;
const AT_ONCE = 3;
const TRIES = 6;
const KEPT_BYTES = 256 << 20; // larger files are chosen again after a reload
const STAGES = [["process", "Processing"], ["embed", "Making searchable"]];

const list = document.querySelector("[data-list]");
const rows = new Map(); // by id
const waiting = [];
let running = 0;

// What a person sees -----------------------------------------------------------------------------

class Row {
  constructor(entry) {
    this.entry = entry;
    this.isDone = false;
    this.failed = false;
    this.item = document.querySelector("[data-row]").content.firstElementChild.cloneNode(true);
    this.item.querySelector(".name").textContent = entry.path || entry.file.name;
    this.phase = this.item.querySelector(".phase");
    this.bar = this.item.querySelector("progress");
    this.bar.setAttribute("aria-label", entry.file.name);
    list.append(this.item);
  }

  say(text, share = null) {
    this.phase.textContent = text;
    if (share !== null) this.bar.value = share;
  }

  end(text, link = null, failed = false) {
    this.isDone = true;
    this.failed = failed;
    this.say(text, failed ? 0 : 1);
    this.phase.classList.toggle("error", failed);
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = text;
      this.phase.replaceChildren(anchor);
    }
    if (failed) this.offerRetry();
    summarise();
  }

  offerRetry() {
    const button = document.createElement("button");
    button.textContent = "Try again";
    button.addEventListener("click", () => {
      button.remove();
      this.isDone = this.failed = false;
      this.phase.classList.remove("error");
      enqueue(this);
    });
    this.phase.append(" ", button);
  }
}

function summarise() {
  const all = [...rows.values()];
  const done = all.filter((row) => row.isDone && !row.failed).length;
  const failed = all.filter((row) => row.failed).length;
  const text = `${done} of ${all.length} uploaded${failed ? `, ${failed} failed` : ""}`;
  document.querySelector("[data-summary]").textContent = text;
  const bar = document.querySelector("[data-total]");
  bar.max = all.length || 1;
  bar.value = done;
  document.querySelector("[data-uploads]").hidden = !all.length;
}

// Requests ---------------------------------------------------------------------------------------

class Refused extends Error {}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// A request to the server; waits where it says so (429, 503) or cannot be reached.
async function ask(method, path, body) {
  for (let tries = 1; ; tries += 1) {
    let answer = null;
    try {
      answer = await fetch(api + path, {
        method,
        headers: body ? { "Content-Type": "application/json" } : {},
        body: body ? JSON.stringify(body) : undefined,
      });
    } catch (error) {
      if (tries >= TRIES) throw error;
    }
    if (answer?.ok) return answer.status === 204 ? null : answer.json();
    const isBusy = answer === null || answer.status === 429 || answer.status >= 500;
    if (!isBusy || (tries >= TRIES && answer.status !== 429)) {
      const problem = await answer.json().catch(() => ({}));
      const error = new Refused(problem.detail || `the server answered ${answer.status}`);
      error.status = answer.status;
      throw error;
    }
    await pause(Number(answer?.headers.get("Retry-After")) || Math.min(2 ** tries, 30) * Math.random());
  }
}

// PUT with progress; resolves to the status and the ETag.
function put(target, blob, onBytes) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(target.method || "PUT", target.url);
    for (const [name, value] of Object.entries(target.headers || {})) {
      if (!/^(content-length|host)$/i.test(name)) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onBytes(event.loaded);
    request.onload = () => resolve({ status: request.status, etag: request.getResponseHeader("ETag") });
    request.onerror = () => reject(new Error("the connection to the destination failed"));
    request.send(blob);
  });
}

// A body to a URL; a URL that has ended (403) or a line that broke is tried again with a new one.
async function send(blob, first, renew, onBytes) {
  let target = first ?? (await renew());
  for (let tries = 1; ; tries += 1) {
    try {
      const { status, etag } = await put(target, blob, onBytes);
      if (status >= 200 && status < 300) return etag;
      if (status === 412 || status === 409) return null; // it is there: `complete` looks at it
      if (tries >= TRIES) throw new Error(`the destination answered ${status}`);
    } catch (error) {
      if (tries >= TRIES) throw error;
    }
    onBytes(0);
    await pause(Math.min(2 ** tries, 30) * Math.random());
    target = await renew();
  }
}

// One file ---------------------------------------------------------------------------------------

async function upload(row) {
  const { entry } = row;
  const { file } = entry;
  if (!entry.digest) {
    row.say("Hashing", 0);
    entry.digest = await digestOf(file, (bytes) => row.say("Hashing", bytes / (file.size || 1)));
  }
  if (file.size <= KEPT_BYTES) await keptFiles.keep(entry);
  row.say("Asking the server", 0);
  const reserved = await reserve(entry, file);
  if (reserved.duplicate) {
    row.end("Already there", `${root}/picture/${entry.digest}`);
    return;
  }
  entry.uploadId = reserved.upload_id;
  if (file.size <= KEPT_BYTES) await keptFiles.keep(entry);
  const path = `/uploads/${encodeURIComponent(reserved.upload_id)}`;
  const show = (bytes) => row.say(`Uploading ${Math.floor((100 * bytes) / (file.size || 1))} %`, bytes / (file.size || 1));
  const finished = reserved.parts
    ? { parts: await sendParts(file, path, reserved.parts, show) }
    : { etag: await send(file, reserved.url ? reserved : null, () => ask("POST", `${path}/url`, {}), show) };
  row.say("Checking", 1);
  await ask("POST", `${path}/complete`, finished);
  await follow(row);
}

function reserve(entry, file) {
  return ask("POST", "/uploads", {
    name: file.name,
    path: entry.path || file.name,
    size_bytes: file.size,
    sha256: entry.digest,
    media_type: file.type || null,
    modified_at: new Date(file.lastModified).toISOString(),
  });
}

// Parts that the destination has already are not sent again.
async function sendParts(file, path, { part_bytes: size, count }, show) {
  const there = new Map();
  const answer = await ask("GET", `${path}/parts`);
  for (const part of answer.parts ?? answer) there.set(part.number, part.etag);
  const parts = [];
  for (let number = 1; number <= count; number += 1) {
    const start = (number - 1) * size;
    let etag = there.get(number);
    if (!etag) {
      const piece = file.slice(start, Math.min(start + size, file.size));
      const renew = () => ask("POST", `${path}/parts/${number}`, {});
      etag = await send(piece, null, renew, (bytes) => show(start + bytes));
    }
    parts.push({ number, etag });
    show(Math.min(start + size, file.size));
  }
  return parts;
}

// The later phases, until the picture is searchable or will not be.
async function follow(row) {
  const { entry } = row;
  const link = `${root}/picture/${entry.digest}`;
  await keptFiles.forget(entry.id);
  row.end("Uploaded", link);
  for (let tries = 0; tries < 40; tries += 1) {
    await pause(3);
    const found = await ask("GET", `/files/${entry.digest}`).catch(() => null);
    if (found === null) return;
    const isOpen = (one) => ["ready", "claimed", "waiting"].includes(one.state);
    const state = (stage) => found.stages.find((one) => one.stage === stage);
    const last = state("embed");
    if (last && !isOpen(last)) { // the reason of what is skipped: a sidecar, for example
      const uploaded = last.reason ? `Uploaded: ${last.reason}` : "Uploaded";
      row.end(last.state === "done" ? "Searchable" : uploaded, link);
      return;
    }
    const open = STAGES.find(([stage]) => state(stage) && isOpen(state(stage)));
    row.end(open ? open[1] : "Uploaded", link);
  }
}

function enqueue(row) {
  waiting.push(row);
  row.say("Waiting");
  summarise();
  next();
}

async function next() {
  if (running >= AT_ONCE || !waiting.length) return;
  running += 1;
  const row = waiting.shift();
  next();
  try {
    await upload(row);
  } catch (error) {
    row.end(error.message, null, true);
  } finally {
    running -= 1;
    if (row.isDone && !row.failed) await keptFiles.forget(row.entry.id);
    next();
  }
}

// Where files come from --------------------------------------------------------------------------

function add(file, path) {
  const id = `${path}\0${file.size}\0${file.lastModified}`;
  if (rows.has(id)) return;
  const row = new Row({ id, file, path });
  rows.set(id, row);
  enqueue(row);
}

async function addEntry(entry, path) {
  if (entry.isFile) {
    add(await new Promise((resolve, reject) => entry.file(resolve, reject)), path + entry.name);
    return;
  }
  const reader = entry.createReader();
  for (;;) { // a reader gives some at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) await addEntry(one, `${path}${entry.name}/`);
  }
}

const drop = document.querySelector("[data-drop]");
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragenter" || name === "dragover");
  });
}
drop.addEventListener("drop", (event) => {
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) addEntry(entry, "");
});
for (const input of document.querySelectorAll("[data-files], [data-folder]")) {
  input.addEventListener("change", () => {
    for (const file of input.files) add(file, file.webkitRelativePath || file.name);
    input.value = "";
  });
}
document.querySelector("[data-clear]").addEventListener("click", () => {
  for (const [id, row] of rows) {
    if (row.isDone && !row.failed) {
      row.item.remove();
      rows.delete(id);
    }
  }
  summarise();
});
window.addEventListener("beforeunload", (event) => {
  if ([...rows.values()].some((row) => !row.isDone && row.entry.file.size > KEPT_BYTES)) event.preventDefault();
});

for (const entry of await keptFiles.all()) {
  const row = new Row(entry);
  rows.set(entry.id, row);
  enqueue(row);
}
