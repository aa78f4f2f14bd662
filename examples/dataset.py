#!/usr/bin/env python3
"""Build a data set from pushed pictures, step by step as in a notebook.

    python examples/dataset.py "boat" OUTPUT [--after 2019] [--limit 100] [--endpoint-url URL]

Pictures are chosen by search and date, and of near-duplicates the best stays. OUTPUT gets

    pictures.csv      path, digest, score, camera, date, and a URL: signed and good for a day where
                      the picture is in a bucket
    vectors.npy       their embeddings, in the same order; vectors.parquet too, if pyarrow is there
    shards/*.tar      the pictures and what is known of them, for WebDataset: KEY.jpg and KEY.json,
                      where KEY is the SHA-256

A shard is an ordinary tar file, so that no library is needed to write one.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from glob import escape
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

import bulkup

SHARD_PICTURES = 1000
URL_SECONDS = 86_400


def choose(text: str, after: str | None, limit: int) -> list[bulkup.FoundPicture]:
    """The closest matches, without near-duplicates of better ones."""
    found = bulkup.search(text, after=after, limit=limit)
    seen: set[str] = set()
    spare = set()
    for picture in bulkup.search(duplicates=True):  # the best of each group comes first
        group = f"group {picture.group}"
        if group in seen:
            spare.add(picture.digest)
        seen.add(group)
    return [picture for picture in found if picture.digest not in spare]


def vectors_of(digests: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """The embeddings of these pictures, one a row; each has length 1."""
    exported = folder / "export.npz"
    command = Path(sys.executable).with_name("bulkup")
    subprocess.run(
        [command, "--quiet", "export", "--format", "npz", "--output", exported], check=True
    )
    with np.load(exported) as columns:
        row = {digest: n for n, digest in enumerate(columns["digests"].tolist())}
        vectors: NDArray[np.float16] = columns["vectors"]
    return vectors[[row[digest] for digest in digests]].astype(np.float32)


def places() -> dict[str, tuple[str, str]]:
    """The destination and the key of each stored picture, by its digest."""
    uri = f"{Path(bulkup.status().manifest).as_uri()}?mode=ro"
    with sqlite3.connect(uri, uri=True) as manifest:
        rows = manifest.execute("SELECT digest, destination, key FROM files WHERE key IS NOT NULL")
        found = {digest: (destination, key) for digest, destination, key in rows}
    manifest.close()
    return found


def url_of(destination: str, key: str, endpoint_url: str | None) -> str:
    """A signed URL of an object in a bucket; else that of a file."""
    if not destination.startswith("s3://"):
        return (Path(destination) / key).as_uri()
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint_url)
    where = {"Bucket": urlsplit(destination).netloc, "Key": key}
    return client.generate_presigned_url("get_object", Params=where, ExpiresIn=URL_SECONDS)


def write_vectors(digests: Sequence[str], vectors: NDArray[np.float32], output: Path) -> None:
    """vectors.npy, and vectors.parquet where pyarrow is installed."""
    np.save(output / "vectors.npy", vectors)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return
    columns = {"digest": list(digests), "vector": list(vectors)}
    parquet.write_table(pyarrow.table(columns), output / "vectors.parquet")


def pulled(pictures: Sequence[bulkup.FoundPicture], folder: Path) -> dict[str, Path]:
    """The pictures' files, brought back from their destinations, by their digests."""
    found: dict[str, Path] = {}

    def add(event: bulkup.Event) -> None:
        if isinstance(event, bulkup.FilesPulled):
            found.update({file.digest: Path(file.path) for file in event.files})

    bulkup.pull([escape(picture.path) for picture in pictures], into=folder, on_event=add)
    return found


def shards(pictures: Sequence[bulkup.FoundPicture]) -> Iterator[Sequence[bulkup.FoundPicture]]:
    """The pictures of each shard."""
    for start in range(0, len(pictures), SHARD_PICTURES):
        yield pictures[start : start + SHARD_PICTURES]


def write_shard(
    path: Path, pictures: Sequence[bulkup.FoundPicture], files: dict[str, Path]
) -> None:
    """One tar file; the members of a picture follow each other."""
    with tarfile.open(path, "w") as shard:
        for picture in pictures:
            about = json.dumps(asdict(picture)).encode()
            for suffix, body in (
                (files[picture.digest].suffix.lower(), files[picture.digest].read_bytes()),
                (".json", about),
            ):
                member = tarfile.TarInfo(f"{picture.digest}{suffix}")
                member.size = len(body)
                shard.addfile(member, io.BytesIO(body))


def main() -> None:
    """Build the data set."""
    parser = argparse.ArgumentParser(description="Build a data set from pushed pictures.")
    parser.add_argument("text", help="what the pictures show")
    parser.add_argument("output", type=Path, help="a new directory")
    parser.add_argument("--after", help="taken since this date")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--endpoint-url", help="of the S3 server, if it is not Amazon's")
    given = parser.parse_args()

    pictures = choose(given.text, given.after, given.limit)
    if not pictures:
        raise SystemExit("No picture matches.")
    digests = [picture.digest for picture in pictures]
    stored = places()
    (given.output / "shards").mkdir(parents=True)
    with (given.output / "pictures.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "digest", "score", "camera", "taken_at", "url"])
        for one in pictures:
            url = url_of(*stored[one.digest], given.endpoint_url)
            rows.writerow([one.path, one.digest, one.score, one.camera, one.taken_at, url])
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(digests, vectors_of(digests, Path(folder)), given.output)
        files = pulled(pictures, Path(folder) / "pictures")
        for number, part in enumerate(shards(pictures)):
            write_shard(given.output / "shards" / f"{number:06d}.tar", part, files)
    print(f"{len(pictures)} pictures in {given.output}")


if __name__ == "__main__":
    main()
