// Files whose upload has not ended, kept by the browser (IndexedDB), so that a reload continues it.
const NAME = "bulkup-uploads";

function request(made) {
  return new Promise((resolve, reject) => {
    made.onsuccess = () => resolve(made.result);
    made.onerror = () => reject(made.error);
  });
}

async function store(mode) {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("files", { keyPath: "id" });
  return (await request(opening)).transaction("files", mode).objectStore("files");
}

// Private windows and full disks refuse: then a reload asks for the files again.
async function quietly(work) {
  try {
    return await work();
  } catch {
    return null;
  }
}

export const keptFiles = {
  all: async () => (await quietly(async () => request((await store("readonly")).getAll()))) ?? [],
  keep: (entry) => quietly(async () => request((await store("readwrite")).put(entry))),
  forget: (id) => quietly(async () => request((await store("readwrite")).delete(id))),
};
