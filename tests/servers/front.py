"""nginx as an S3 endpoint: a sink that drops what it gets, or a throttle before a real server.

Both fail on demand and count. The sink checks nothing and remembers nothing: any key is accepted, a
HEAD of a key is 404, a listing is empty. The throttle passes the Host header on, so that signatures
hold. By hand:

    python -m tests.servers.front start [--port 9100] [--tls] [--upstream URL] [--rate 200 ...]
    python -m tests.servers.front status|stats|reset|stop [--port 9100]

`start` prints endpoint=URL and, over https, ca=FILE; `start --help` lists the faults. `stats` (GET
/stats) prints requests by method and operation and status (444: a connection dropped on purpose),
objects and bytes stored, the most requests in flight, connections; `reset` (GET /reset) clears it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from tests.servers import certificate, packages
from tests.servers.endpoint import Endpoint
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

HERE = Path(__file__).parent
MODULES = "/usr/lib/nginx/modules"
NEEDED = {
    "nginx": "nginx-light",
    f"{MODULES}/ngx_http_lua_module.so": "libnginx-mod-http-lua",
    **certificate.NEEDED,
}
START_SECONDS = 10

PROXY = """\
access_by_lua_block { front.throttle() }
      proxy_pass ${scheme}://real;
      proxy_http_version 1.1;
      proxy_set_header Host $$http_host;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffer_size 32k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
      proxy_next_upstream off;
      proxy_read_timeout 300;
      proxy_send_timeout 300;"""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how often. None and 0 mean never."""

    rate: float | None = None  # requests per second; those above get 503 SlowDown
    burst: int = 5  # how many may come ahead of the rate
    retry_after: float | None = None  # seconds, in the Retry-After header of a SlowDown
    latency: float | None = None  # milliseconds before a good answer
    fail_percent: float | None = None  # of the requests get 500 InternalError
    late_percent: float | None = None  # of the PUTs by a signed URL get 403: it has expired
    reset_percent: float | None = None  # of the connections are dropped after part of the body
    expire_after: float | None = None  # seconds after the first request: 403 ExpiredToken ...
    expire_for: float = 10  # ... for so many seconds
    early: bool = False  # errors are answered before the body is read
    seed: int | None = None  # the same random choices each time


@dataclass(frozen=True, slots=True)
class Front:
    """A running sink or throttle."""

    endpoint: Endpoint

    def stats(self) -> dict[str, Any]:
        """What came since the start or the last reset; see the top of this file."""
        found: dict[str, Any] = json.loads(self._ask("/stats"))
        return {**found.pop("counts"), **found}

    def reset(self) -> None:
        """Count from nothing again; rates and expiry restart, too."""
        self._ask("/reset")

    def _ask(self, path: str) -> bytes:
        trust = ssl.create_default_context(cafile=self.endpoint.ca) if self.endpoint.ca else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        with opener.open(self.endpoint.url + path, timeout=30) as answer:
            found: bytes = answer.read()
            return found


@contextmanager
def running(
    *,
    upstream: Endpoint | None = None,
    tls: bool = False,
    faults: Faults | None = None,
    md5: bool = False,
    remember: bool = False,
) -> Iterator[Front]:
    """A sink, or a throttle before `upstream`, until the end of the `with` block.

    Raises PackagesMissing when nginx is not installed, ServerFailed when it does not start.
    """
    directory = Path(tempfile.mkdtemp(prefix="bulkup-front-"))
    url = upstream.url if upstream else None
    try:
        yield start(
            directory / "nginx",
            port=free_port(),
            upstream=url,
            tls=tls,
            faults=faults or Faults(),
            md5=md5,
            remember=remember,
        )
    finally:
        stop(directory / "nginx")
        shutil.rmtree(directory)


def status(directory: Path) -> Front | None:
    """The server when it runs, else None."""
    if not alive(directory / "nginx.pid", str(directory / "nginx.conf")):
        return None
    saved = json.loads((directory / "endpoint.json").read_text())
    return Front(Endpoint(saved["url"], ca=Path(saved["ca"]) if saved["ca"] else None))


def stop(directory: Path) -> None:
    """Stop the server. May be called twice."""
    stop_process(directory / "nginx.pid", str(directory / "nginx.conf"), patience_seconds=5)


def start(
    directory: Path,
    *,
    port: int,
    upstream: str | None = None,
    tls: bool = False,
    faults: Faults,
    md5: bool = False,
    remember: bool = False,
) -> Front:
    """Start nginx and wait until it answers; one that runs from `directory` is stopped first.

    `md5`: the sink's ETags are the MD5 of the bodies; else the Content-MD5 sent, or a constant.
    `remember`: the sink honours conditional writes; else it refuses them (304).
    """
    nginx = packages.program("nginx")
    packages_missing = packages.missing(NEEDED)
    if packages_missing:
        raise packages.PackagesMissing(f"not installed: {' '.join(packages_missing)}")
    stop(directory)
    own(directory)
    made = certificate.make(directory / "tls") if tls else None
    conf = directory / "nginx.conf"
    named = {f.name: getattr(faults, f.name) for f in fields(faults)}
    options = _lua({**named, "md5": md5, "remember": remember})
    conf.write_text(_configuration(directory, port, upstream, made, options))
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    saved = {"url": url, "ca": str(made.ca) if made else None}
    (directory / "endpoint.json").write_text(json.dumps(saved))
    null = subprocess.DEVNULL  # no pipe: the server would keep it open
    command = [nginx, "-p", str(directory), "-c", str(conf), "-e", str(directory / "error.log")]
    if subprocess.call(command, stdin=null, stdout=null, stderr=null) != 0:
        raise ServerFailed(f"nginx did not start: {tail(directory / 'error.log')}")
    front = Front(Endpoint(url, ca=made.ca if made else None))
    wait_until(
        lambda: _answers(front),
        timeout_seconds=START_SECONDS,
        what=f"nginx did not answer on {url}",
    )
    return front


def _configuration(
    directory: Path,
    port: int,
    upstream: str | None,
    made: certificate.Certificate | None,
    options: str,
) -> str:
    shown = f"ssl_certificate {made.chain}; ssl_certificate_key {made.key};" if made else ""
    handler, real = "content_by_lua_block { front.sink() }", ""
    if upstream:
        parts = urlsplit(upstream)
        handler = Template(PROXY).substitute(scheme=parts.scheme)
        real = f"upstream real {{ server {parts.netloc}; keepalive 128; }}"
    return Template((HERE / "front.conf.in").read_text()).substitute(
        modules=MODULES,
        # A worker of another user could not read a temporary directory.
        user="user root;" if os.geteuid() == 0 else "",
        descriptors=min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536),
        directory=directory,
        here=HERE,
        options=options,
        upstream=real,
        port=port,
        tls="ssl" if made else "",
        certificate=shown + (" ssl_session_cache shared:tls:10m;" if made else ""),
        handler=handler,
    )


def _lua(values: dict[str, Any]) -> str:
    """A Lua table of numbers and booleans, without what is None."""
    pairs = [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
    return "{ " + ", ".join(pairs) + " }"


def _answers(front: Front) -> bool:
    try:
        front.stats()
    except (urllib.error.URLError, OSError):
        return False
    return True


def main() -> int:
    """What people type; see the top of this file."""
    parser = argparse.ArgumentParser(description="nginx as an S3 sink or throttle, for tests.")
    parser.add_argument("action", choices=["install", "start", "status", "stats", "reset", "stop"])
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--upstream", help="a real server; without it, a sink")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--md5", action="store_true", help="true ETags from the sink")
    for field in fields(Faults):
        flag = "--" + field.name.replace("_", "-")
        if field.name == "early":
            parser.add_argument(flag, action="store_true")
        else:
            number = int if field.name in ("burst", "seed") else float
            parser.add_argument(flag, type=number, default=field.default)
    given = parser.parse_args()
    directory = RUN_ROOT / f"front-{given.port}"
    try:
        if given.action in ("install", "start"):
            packages.install(NEEDED)
        if given.action == "start":
            faults = Faults(**{f.name: getattr(given, f.name) for f in fields(Faults)})
            where = {"port": given.port, "upstream": given.upstream}
            start(directory, **where, tls=given.tls, faults=faults, md5=given.md5)
    except (packages.PackagesMissing, ServerFailed) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return _tell(given.action, directory)


def _tell(action: str, directory: Path) -> int:
    """Do and print what the action asks of a server that should be there."""
    if action == "stop":
        stop(directory)
    if action in ("install", "stop"):
        return 0
    front = status(directory)
    if front is None:
        sys.stdout.write("stopped\n")
        return 3
    if action == "reset":
        front.reset()
    elif action == "stats":
        sys.stdout.write(json.dumps(front.stats(), indent=1) + "\n")
    else:
        ca = front.endpoint.ca
        sys.stdout.write(f"endpoint={front.endpoint.url}\n" + (f"ca={ca}\n" if ca else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
