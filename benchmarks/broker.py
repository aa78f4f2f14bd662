"""Compare a push to a bucket with the same files pushed through `bulkup serve`.

    python -m benchmarks.broker PHOTOS [--clients 2] [--fail-percent 5] [--late-percent 5]
                                       [--per-minute 2000]

`--late-percent` of the URLs that the server signs are refused as expired (403).

Both end when all three stages are done. The clients of the server push half of the files each, and
ten files that are the same; the server processes and embeds meanwhile (`--work`). Prints the times
and their ratio; exits 1 when a file is missing, twice there, or not through all stages.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from tests.servers import ceph, front
from tests.servers.front import Faults
from tests.servers.process import free_port

PROGRAM = Path(sys.executable).with_name("bulkup")
SHARED = 10
LIMIT_SECONDS = 1800


def run(*arguments: str | Path, env: Mapping[str, str]) -> str:
    """The standard output of a command that must succeed."""
    ended = subprocess.run([PROGRAM, *arguments], env=env, check=True, stdout=subprocess.PIPE)
    return ended.stdout.decode()


def stages_of(env: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The counts of `status --json`."""
    found: dict[str, dict[str, int]] = json.loads(run("status", "--json", env=env))["stages"]
    return found


def settled_items(manifest: Path) -> int:
    """Items of all stages that are at their end; looked up without starting a program."""
    with closing(sqlite3.connect(f"file:{manifest}?mode=ro", uri=True)) as connection:
        query = "SELECT sum(items) FROM progress WHERE state IN ('done', 'skipped', 'dead')"
        return connection.execute(query).fetchone()[0] or 0


def is_over(stages: dict[str, dict[str, int]], files: int) -> bool:
    """Whether all files are uploaded, and nothing is left to do with any."""
    settled = [stages[name] for name in ("upload", "process", "embed")]
    return all(one["done"] + one["skipped"] + one["dead"] >= files for one in settled)


def split(photos: Path, folders: list[Path]) -> int:
    """Link each JPEG into one of the folders, and the first ten into all; how many there are.
    Of files with the same bytes, one is taken."""
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    files = list({sha256(path.read_bytes()).digest(): path for path in found}.values())
    for number, file in enumerate(files):
        for folder in folders if number < SHARED else [folders[number % len(folders)]]:
            folder.mkdir(parents=True, exist_ok=True)
            os.link(file, folder / f"{number}{file.suffix}")
    return len(files)


def cpu_seconds() -> float:
    """User and system time of all processes that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def push_directly(photos: Path, work: Path, env: Mapping[str, str]) -> float:
    began = time.monotonic()
    run("push", photos, "--to", "s3://bench/direct", env={**env, "BULKUP_HOME": str(work / "home")})
    return time.monotonic() - began


def push_through_server(
    photos: Path, work: Path, env: Mapping[str, str], *, clients: int, per_minute: int
) -> tuple[float, dict[str, dict[str, int]], int]:
    """Seconds, the server's counts at the end, and how many files there were."""
    folders = [work / f"photos-{number}" for number in range(clients)]
    files = split(photos, folders)
    settings, port = work / "serve.toml", free_port()
    limits = f"[serve]\nburst = 100\nper_minute = {per_minute}\n"
    settings.write_text(f'[push]\nto = "s3://bench/served"\n{limits}')
    server_env = {**env, "BULKUP_HOME": str(work / "server"), "BULKUP_CONFIG": str(settings)}
    tokens = []
    for number in range(clients):
        said = run("token", "add", f"client-{number}", "--role", "uploader", env=server_env)
        found = re.search(r"bku_\S+", said)
        assert found
        tokens.append(found[0])
    server = subprocess.Popen([PROGRAM, "serve", "--work", "--port", str(port)], env=server_env)
    try:
        time.sleep(3)
        began = time.monotonic()
        running = [
            subprocess.Popen(
                [PROGRAM, "push", folder, "--to", f"http://127.0.0.1:{port}"],
                env={
                    "PATH": os.environ["PATH"],
                    "BULKUP_HOME": str(work / f"client-{number}"),
                    "BULKUP_TOKEN": token,
                },
            )
            for number, (folder, token) in enumerate(zip(folders, tokens, strict=True))
        ]
        codes = [one.wait(LIMIT_SECONDS) for one in running]
        print(f"clients ended after {time.monotonic() - began:.1f} s with {codes}")
        while settled_items(work / "server" / "manifest.db") < 3 * files:
            if time.monotonic() - began > LIMIT_SECONDS:
                break
            time.sleep(0.5)
        served = time.monotonic() - began
        return served, stages_of(server_env), files
    finally:
        server.terminate()
        server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--fail-percent", type=float, default=0.0)
    parser.add_argument("--late-percent", type=float, default=0.0)
    parser.add_argument("--per-minute", type=int, default=100_000)
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="bulkup-broker-"))
    with ceph.running() as gateway:
        gateway.client().create_bucket(Bucket="bench")
        faults = Faults(
            fail_percent=given.fail_percent or None, late_percent=given.late_percent or None
        )
        with front.running(upstream=gateway, faults=faults) as before:
            endpoint = before.endpoint
            env = {**os.environ, **endpoint.environment, "BULKUP_MANIFEST_BACKUP": "never"}
            direct = push_directly(given.photos, work, env)
            direct_cpu = cpu_seconds()
            served, stages, files = push_through_server(
                given.photos, work, env, clients=given.clients, per_minute=given.per_minute
            )
            served_cpu = cpu_seconds() - direct_cpu
            by_status = before.stats()["by_status"]["PUT"]
        pages = gateway.client().get_paginator("list_objects_v2")
        keys = [
            one["Key"]
            for page in pages.paginate(Bucket="bench", Prefix="served/")
            for one in page.get("Contents", ())
            if "/.bulkup/" not in one["Key"]
        ]
    shutil.rmtree(work)
    print(f"direct {direct:.1f} s, served {served:.1f} s: {served / direct:.2f} times")
    print(f"CPU {direct_cpu:.1f} s and {served_cpu:.1f} s: {served_cpu / direct_cpu:.2f} times")
    print(f"PUTs by status: {json.dumps(by_status)}")
    print(f"{files} files, {len(keys)} objects, {json.dumps(stages)}")
    return 0 if is_over(stages, files) and len(keys) == files else 1


if __name__ == "__main__":
    sys.exit(main())
