// Uploads one file through a server: node uppy.mjs SERVER TOKEN EXAMPLE. Prints what became of it.
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import xhr2 from "xhr2";

globalThis.XMLHttpRequest = class extends xhr2 {
  async send(data) {
    super.send(data instanceof Blob ? await data.arrayBuffer() : data);
  }
};

const [server, token, example] = process.argv.slice(2);
const { bulkup } = await import(pathToFileURL(example));
const bytes = new Uint8Array(40 << 20).map((_, at) => (at * 7919) >> 8);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const uppy = new Uppy();
uppy.use(AwsS3, bulkup(server, token));
uppy.addFile({ name: "film.mov", data: new Blob([bytes]), meta: { sha256 } });
const done = await uppy.upload();
console.log(JSON.stringify({ failed: done.failed.map((file) => file.error), sha256 }));
