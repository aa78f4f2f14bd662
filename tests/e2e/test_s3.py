"""bulkup against a real S3 server (moto): what boto3 reads back is what was pushed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import digest, make_tree, picture
from tests.servers.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("uploads_only")

NAMES = [
    "a.jpg",
    "sub folder/b+c.jpg",
    "100%25.png",
    "#hash?.jpg",
    "caf\u00e9.jpg",
    "cafe\u0301.jpg",
    "\U0001f4f7.jpg",
    "sub folder/quote'\"&<>.jpg",
]


def test_objects_are_what_was_pushed(bulkup: Bulkup, tmp_path: Path, s3: Endpoint) -> None:
    """Keys, bytes, checksums, types and metadata; equal to what the manifest says."""
    bucket = s3.make_bucket()
    root = make_tree(
        tmp_path / "photos", {name: picture(name, 5000 + n) for n, name in enumerate(NAMES)}
    )
    make_tree(root, {"zz/again.jpg": picture(NAMES[0], 5000), "large.mp4": picture("L", 12 << 20)})
    bulkup.use_settings('[s3]\npart_threshold = "8MiB"\npart_size = "5MiB"\n')
    to = f"s3://{bucket}/deep/prefix"
    ended = bulkup(
        "push", "photos", "--to", to, "--metadata", "owner=me", "--cache-control", "max-age=9",
        env=s3.environment,
    )  # fmt: skip
    assert "1 duplicate" in ended.stdout
    client = s3.client()
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    keys = {one["Key"] for one in listed}
    assert keys == {f"deep/prefix/{name}" for name in [*NAMES, "large.mp4"]}
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        known = dict(db.execute("SELECT key, digest FROM files").fetchall())
    assert set(known) == keys
    for key in keys:
        held = client.get_object(Bucket=bucket, Key=key)
        body = held["Body"].read()
        name = key.removeprefix("deep/prefix/")
        assert sha256(body).hexdigest() == known[key] == digest((root / name).read_bytes())
        assert held["Metadata"]["sha256"] == known[key]
        assert held["Metadata"]["owner"] == "me"
        assert held["CacheControl"] == "max-age=9"
        assert held["ContentType"] == {"jpg": "image/jpeg", "png": "image/jpeg"}.get(
            name.rpartition(".")[2], held["ContentType"]
        )
    assert client.list_multipart_uploads(Bucket=bucket).get("MultipartUploads", []) == []
    client.close()
    again = bulkup("push", "photos", env=s3.environment)
    assert again.stdout == f"Nothing changed: {len(NAMES) + 2} files, all in {to}\n"


def test_a_lost_manifest_adopts_what_is_there(bulkup: Bulkup, tmp_path: Path, s3: Endpoint) -> None:
    """A new manifest finds its own objects by their digest, and overwrites nothing."""
    bucket = s3.make_bucket()
    make_tree(tmp_path / "photos", {f"{n}.jpg": picture(n) for n in range(10)})
    push = ("push", "photos", "--to", f"s3://{bucket}")
    bulkup(*push, env=s3.environment)
    ended = bulkup(*push, "--manifest", "new.db", env=s3.environment)
    assert "10 already there" in ended.stdout


def test_doctor_finds_all_well(bulkup: Bulkup, s3: Endpoint) -> None:
    bucket = s3.make_bucket()
    ended = bulkup("doctor", "--to", f"s3://{bucket}/p", "--json", env=s3.environment)
    found = {one["subject"]: one for one in ended.json() if one["part"] == "destination"}
    assert set(found) == {
        *("credentials", "bucket", "region", "clock", "conditional writes", "checksums"),
    }
    assert found["credentials"]["found"] == "found (environment)"
    assert found["clock"]["level"] == "ok"
    client = s3.client()
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0, "the probe is deleted again"
    client.close()
