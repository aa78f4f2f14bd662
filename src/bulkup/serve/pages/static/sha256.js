// SHA-256 (FIPS 180-4) in pieces: crypto.subtle wants the whole file at once, and is missing where
// a page comes over plain HTTP from another machine.
const K = new Uint32Array(64);
const START = new Uint32Array(8);
{
  // The first 32 bits of the fractional parts of the cube and square roots of primes.
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
  const bits = (x) => Math.floor((x - Math.floor(x)) * 0x100000000);
  primes.forEach((p, at) => {
    K[at] = bits(Math.cbrt(p));
    if (at < 8) START[at] = bits(Math.sqrt(p));
  });
}

export class Sha256 {
  #state = START.slice();
  #words = new Uint32Array(64);
  #rest = new Uint8Array(64);
  #kept = 0;
  #bytes = 0;

  update(data) {
    this.#bytes += data.length;
    let at = 0;
    if (this.#kept) {
      at = Math.min(64 - this.#kept, data.length);
      this.#rest.set(data.subarray(0, at), this.#kept);
      this.#kept += at;
      if (this.#kept < 64) return;
      this.#block(this.#rest, 0);
      this.#kept = 0;
    }
    for (; at + 64 <= data.length; at += 64) this.#block(data, at);
    this.#rest.set(data.subarray(at));
    this.#kept = data.length - at;
  }

  hex() {
    const end = new Uint8Array(this.#kept < 56 ? 64 : 128);
    end.set(this.#rest.subarray(0, this.#kept));
    end[this.#kept] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(this.#bytes / 0x20000000));
    view.setUint32(end.length - 4, (this.#bytes * 8) >>> 0);
    for (let at = 0; at < end.length; at += 64) this.#block(end, at);
    return [...this.#state].map((word) => word.toString(16).padStart(8, "0")).join("");
  }

  #block(data, start) {
    const w = this.#words;
    for (let i = 0, at = start; i < 16; i += 1, at += 4) {
      w[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = this.#state;
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    const s = this.#state;
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
  }
}

const WHOLE_BYTES = 128 << 20;
const PIECE_BYTES = 4 << 20;

// The SHA-256 of a Blob as hex; `onBytes` gets how many bytes were read.
export async function digestOf(blob, onBytes = () => {}) {
  if (globalThis.crypto?.subtle && blob.size <= WHOLE_BYTES) {
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    onBytes(blob.size);
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const hash = new Sha256();
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    hash.update(new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer()));
    onBytes(Math.min(at + PIECE_BYTES, blob.size));
  }
  return hash.hex();
}
