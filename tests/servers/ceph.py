"""A real S3 server: a single-node Ceph Object Gateway that keeps everything in memory.

By hand, with access key `test` and secret `testtest`, path-style addressing:

    python -m tests.servers.ceph start [--port 9400] [--tls] [--size-gib 8]
    python -m tests.servers.ceph status|stop [--port 9400]

`start` and `status` print endpoint=URL and, over https, ca=FILE; `status` of a stopped gateway
exits 3. `stop` drops all objects and keeps only the logs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from botocore.exceptions import BotoCoreError, ClientError

from tests.servers import certificate, packages
from tests.servers.endpoint import ACCESS_KEY, SECRET_KEY, Endpoint
from tests.servers.process import (
    RUN_ROOT,
    ServerFailed,
    alive,
    free_port,
    own,
    tail,
    wait_until,
)
from tests.servers.process import (
    stop as stop_process,
)

NEEDED = {
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "radosgw": "radosgw",
    "ceph": "ceph-common",
    **certificate.NEEDED,
}
DAEMONS = ("client.rgw.a", "osd.0", "mon.a")  # in the order of stopping
START_SECONDS = 60  # 15 s on an idle machine
TEMPLATE = Path(__file__).with_name("ceph.conf.in")
KEYRING = (
    ("mon.", ["--cap", "mon", "allow *"]),
    (
        "client.admin",
        ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"],
    ),
    ("client.rgw.a", ["--cap", "mon", "allow rw", "--cap", "osd", "allow rwx"]),
    ("osd.0", ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"]),
)


@contextmanager
def running(*, tls: bool = False) -> Iterator[Endpoint]:
    """An empty gateway on a free port until the end of the `with` block.

    Raises PackagesMissing when Ceph is not installed, ServerFailed when it does not come up.
    """
    directory = Path(tempfile.mkdtemp(prefix="bulkup-ceph-"))
    try:
        yield start(directory / "ceph", port=free_port(), tls=tls)
    finally:
        stop(directory / "ceph")
        shutil.rmtree(directory)


def status(directory: Path) -> Endpoint | None:
    """The endpoint when all three daemons run, else None."""
    tag = str(directory / "ceph.conf")
    if not all(alive(directory / "run" / f"{name}.pid", tag) for name in DAEMONS):
        return None
    saved = json.loads((directory / "endpoint.json").read_text())
    return Endpoint(saved["url"], ca=Path(saved["ca"]) if saved["ca"] else None)


def stop(directory: Path) -> None:
    """Stop the daemons and drop what they hold; the logs stay. May be called twice."""
    if not directory.exists():
        return
    for name in DAEMONS:
        stop_process(directory / "run" / f"{name}.pid", str(directory / "ceph.conf"))
    for name in ("mon", "osd", "rgw", "run", "tls"):
        shutil.rmtree(directory / name, ignore_errors=True)


def start(directory: Path, *, port: int, tls: bool = False, size_gib: int = 8) -> Endpoint:
    """Start an empty gateway and wait until it answers; a running one is left as it is."""
    found = status(directory)
    if found is not None:
        return found
    for name in ("ceph-mon", "ceph-osd", "radosgw", "ceph"):
        packages.program(name)
    stop(directory)
    own(directory)
    for name in ("mon", "osd", "rgw", "run", "log"):
        (directory / name).mkdir()
    endpoint = _configure(directory, port=port, tls=tls, size_gib=size_gib)
    try:
        _bring_up(directory)
        wait_until(
            lambda: status(directory) is None or _answers(endpoint),
            timeout_seconds=START_SECONDS,
            what=f"the gateway did not answer on {endpoint.url}",
        )
    except (ServerFailed, subprocess.SubprocessError) as exc:
        said = tail(directory / "log" / "setup.log")
        stop(directory)
        raise ServerFailed(f"{exc}; logs: {directory / 'log'}\n{said}") from exc
    if status(directory) is None:
        stop(directory)
        raise ServerFailed(f"a Ceph daemon ended; logs: {directory / 'log'}")
    return endpoint


def _configure(directory: Path, *, port: int, tls: bool, size_gib: int) -> Endpoint:
    endpoint = Endpoint(f"http://127.0.0.1:{port}")
    frontend = f"beast endpoint=127.0.0.1:{port} tcp_nodelay=1"
    if tls:
        made = certificate.make(directory / "tls")
        endpoint = Endpoint(f"https://127.0.0.1:{port}", ca=made.ca)
        frontend = f"beast ssl_endpoint=127.0.0.1:{port} ssl_certificate={made.chain}"
        frontend += f" ssl_private_key={made.key} tcp_nodelay=1"
    monitor = f"[v2:127.0.0.1:{free_port()}]"
    text = Template(TEMPLATE.read_text()).substitute(
        cluster_id=_cluster_id(directory),
        directory=directory,
        frontend=frontend,
        monitor=monitor,
        size_bytes=size_gib << 30,
    )
    (directory / "ceph.conf").write_text(text)
    (directory / "monitor").write_text(monitor)
    saved = {"url": endpoint.url, "ca": str(endpoint.ca) if endpoint.ca else None}
    (directory / "endpoint.json").write_text(json.dumps(saved))
    return endpoint


def _bring_up(directory: Path) -> None:
    """Make the cluster and its user, and start the three daemons, which go into the background."""
    keyring, monmap = str(directory / "keyring"), str(directory / "monmap")
    osd_id = str(uuid.uuid4())
    for number, (name, capabilities) in enumerate(KEYRING):
        create = ["--create-keyring"] if number == 0 else []
        _run(directory, "ceph-authtool", *create, keyring, "--gen-key", "-n", name, *capabilities)
    monitor = (directory / "monitor").read_text()
    cluster = ["--fsid", _cluster_id(directory)]
    _run(directory, "monmaptool", "--create", *cluster, "--addv", "a", monitor, monmap)
    mon, osd = ["ceph-mon", "--id", "a"], ["ceph-osd", "--id", "0"]
    _run(directory, *mon, "--mkfs", "--monmap", monmap, "--keyring", keyring, conf=True)
    _run(directory, *mon, conf=True)
    _run(directory, "ceph", "auth", "import", "-i", keyring, conf=True)
    _run(directory, "ceph", "osd", "new", osd_id, conf=True)
    _run(directory, *osd, "--mkfs", "--osd-uuid", osd_id, conf=True)
    _run(directory, *osd, conf=True)
    _run(directory, "radosgw", "-n", "client.rgw.a", conf=True)
    user = ["user", "create", "--uid", "test", "--display-name", "test", "--max-buckets", "0"]
    keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
    _run(directory, "radosgw-admin", "-n", "client.admin", *user, *keys, conf=True)


def _run(directory: Path, name: str, *arguments: str, conf: bool = False) -> None:
    """One program of Ceph's, its output in log/setup.log. Raises SubprocessError."""
    where = ["-c", str(directory / "ceph.conf")] if conf else []
    with (directory / "log" / "setup.log").open("ab") as log:
        subprocess.run(
            [packages.program(name), *where, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=START_SECONDS,
            check=True,
        )


def _cluster_id(directory: Path) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, directory.as_uri()))


def _answers(endpoint: Endpoint) -> bool:
    """Whether a signed request works; the first ones fail while the gateway makes its pools."""
    client = endpoint.client()
    try:
        client.list_buckets()
    except (ClientError, BotoCoreError):
        return False
    finally:
        client.close()
    return True


def main() -> int:
    """What people type; see the top of this file."""
    parser = argparse.ArgumentParser(description="A real S3 server in memory, for tests.")
    parser.add_argument("action", choices=["install", "start", "stop", "status"])
    parser.add_argument("--port", type=int, default=9400)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--size-gib", type=int, default=8, help="the most it may hold")
    given = parser.parse_args()
    directory = RUN_ROOT / f"ceph-{given.port}"
    try:
        if given.action in ("install", "start"):
            packages.install(NEEDED)
        if given.action == "start":
            start(directory, port=given.port, tls=given.tls, size_gib=given.size_gib)
    except (packages.PackagesMissing, ServerFailed) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    if given.action == "stop":
        stop(directory)
    if given.action in ("start", "status"):
        found = status(directory)
        if found is None:
            sys.stdout.write("stopped\n")
            return 3
        sys.stdout.write(f"endpoint={found.url}\n" + (f"ca={found.ca}\n" if found.ca else ""))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
