"""bulkup serve below a path of a site, behind nginx as examples/nginx.conf has it."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.test_serve import serving
from tests.servers import packages
from tests.servers.process import free_port, wait_until

pytestmark = pytest.mark.nginx

EXAMPLE = REPOSITORY / "examples" / "nginx.conf"


@contextmanager
def proxy(folder: Path, upstream: str) -> Iterator[str]:
    """nginx with the server block of the example, without TLS; its URL."""
    port = free_port()
    block = EXAMPLE.read_text()
    block = re.sub(r"^  (ssl_|http2).*\n", "", block, flags=re.MULTILINE)
    block = block.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    block = block.replace("server_name www.example.org;", "server_name localhost;")
    block = block.replace("http://127.0.0.1:8765", upstream.rstrip("/"))
    own = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {own}\n{block} }}"
    )
    nginx = packages.program("nginx")
    with subprocess.Popen(
        [nginx, "-p", str(folder), "-c", str(conf), "-e", f"{folder}/error.log"]
    ) as process:
        try:
            url = f"http://localhost:{port}/photos/"
            wait_until(
                lambda: _answers(f"{url}sign-in"), timeout_seconds=20, what="nginx did not answer"
            )
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def test_pages_links_and_cookies_are_below_the_path(tmp_path: Path) -> None:
    with serving(tmp_path, "--root-path", "/photos") as served:
        upstream = re.sub(r"/photos/$", "/", served.url)
        jar = CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        folder = tmp_path / "nginx"
        folder.mkdir()
        with proxy(folder, upstream) as url:
            code = served.link.partition("?")[2]
            with browser.open(f"{url}sign-in?{code}", timeout=10) as found:
                page = found.read().decode()
                assert found.url == url
            assert [(one.path, one.name[:6]) for one in jar] == [("/photos/", "bulkup")]
            for name, path in re.findall(r'(href|src|action)="(/[^"]*)"', page):
                assert path.startswith("/photos/"), (name, path)
            style = re.findall(r'href="([^"]*style.css)"', page)[0]
            with browser.open(url.removesuffix("/photos/") + style, timeout=10) as found:
                assert found.headers["Content-Type"].startswith("text/css")
            with browser.open(f"{url}api/v1/events", timeout=10) as stream:
                assert stream.readline() == b"retry: 3000\n"
