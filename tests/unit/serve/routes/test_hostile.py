"""Nonsense in every parameter of every route: never a bug, never a secret, always a problem."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.routing import Route

from bulkup.serve.app import API, PAGES

TRICKS = (
    "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e", "....%5c", "%00", "%ff%fe", "%ED%A0%80", "%E2%80%AE",
    "%0d%0aX-Evil:%20y", "%1b%5b31m", "a" * 5000, "-1", "1e400", "9" * 30, "NaN", "0x10", "%D9%A1",
    "%3Cscript%3Ealert(1)%3C/script%3E", "%27%20OR%201=1--", "%25%30%30", "%7B%7B7*7%7D%7D", "*",
    "[", "(%3FP%3C", "~root", "$(id)", "%F0%9F%92%A9",
)  # fmt: skip
QUERIES = (
    "q", "from", "cursor", "after", "before", "camera", "path", "glob", "near", "album", "like",
    "class", "stage", "started", "code", "limit", "prefix", "part", "expires", "signature",
)  # fmt: skip
SLOW = ("/events", "/work/", "/failures/retry", "/search-by-example")
"""Endless, or start a process; they have tests of their own."""
BODIES = (
    b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 9000 + b"1" + b"}" * 9000, b"1e400", b"NaN", b"\0",
    b'"\\ud800"', b'{"\\ud800": "\\udfff"}', b'{"parts": [{"number": 1e400, "etag": "\\ud800"}]}',
    b'{"parts": [{"number": 1%s, "etag": ""}]}' % (b"0" * 30), b'{"parts": {}}',
    b'{"files": [[], {}, NaN, {"name": "\\u0000"}]}', b'{"sha256": "\\udfff"}',
    b'{"id": 1%s}' % (b"0" * 30), b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"\x1f\x8b\x08",
)  # fmt: skip
HEADERS = (
    ("If-None-Match", '"'), ("If-None-Match", "W/"), ("If-None-Match", '"a",' * 2000),
    ("If-Range", '"x'), ("Range", "bytes=" + "0-1," * 2000), ("Range", "bytes=-" + "9" * 30),
    ("Range", "bytes=" + "9" * 30 + "-"), ("Last-Event-ID", "9" * 30), ("Content-Encoding", "gzip"),
    ("X-Forwarded-Host", "evil.example"), ("Forwarded", "for=1;host=evil.example"),
    ("X-Original-URL", "/api/v1/metrics"), ("X-HTTP-Method-Override", "DELETE"),
)  # fmt: skip


def routes(method: str) -> list[str]:
    found = [("/api/v1", one) for one in API] + [("", one) for one in PAGES]
    return [
        before + one.path
        for before, one in found
        if isinstance(one, Route) and method in (one.methods or ())
        if not one.path.startswith(SLOW)
    ]


def tricked(path: str) -> Iterator[str]:
    """The path with each trick in each of its parameters, and in each that any route has."""
    filled = re.sub(r"{\w+(:\w+)?}", "0" * 64, path)
    for trick in TRICKS:
        if filled != path:
            yield re.sub(r"{\w+(:\w+)?}", lambda _, trick=trick: trick, path)
        yield f"{filled}?" + "&".join(f"{name}={trick}" for name in QUERIES)


def check(found: httpx.Response) -> None:
    assert found.status_code < 500, found.url
    assert "x-ratelimit-remaining" in found.headers
    assert "x-evil" not in found.headers
    assert "evil.example" not in f"{found.headers} {found.text}"
    assert "<script>alert" not in found.text or "html" not in found.headers["content-type"]
    if found.status_code >= 400:
        assert found.headers["content-type"] == "application/problem+json", found.url
        assert json.loads(found.content)["status"] == found.status_code


@pytest.mark.parametrize("path", routes("GET"))
async def test_tricks_in_parameters_find_nothing(operator: httpx.AsyncClient, path: str) -> None:
    for url in tricked(path):
        if len(url) < 60_000:
            check(await operator.get(url))


@pytest.mark.parametrize("path", routes("POST"))
async def test_bodies_that_mean_nothing_change_nothing(
    operator: httpx.AsyncClient, path: str
) -> None:
    headers = {"Content-Type": "application/json"}
    for body in BODIES:
        url = re.sub(r"{number:int}", "1", path)
        check(await operator.post(re.sub(r"{\w+}", "x", url), content=body, headers=headers))


@pytest.mark.parametrize(("name", "value"), HEADERS)
async def test_headers_that_mean_nothing_are_harmless(
    operator: httpx.AsyncClient, name: str, value: str
) -> None:
    for path in ("/", "/sign-in", "/api/v1/stats", "/api/v1/files", f"/api/v1/thumb/{'0' * 64}"):
        check(await operator.get(path, headers={name: value}))
