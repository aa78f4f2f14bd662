"""A server that repeats requests in its errors: no output of any kind has keys or signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from xml.sax.saxutils import escape

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, many
from tests.fakes.receiver import receiving

SECRET = "wJalrXUtnFEMIbPxRfiCYzzEXAMPLEKEYzz123456"
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN1234567890abcdef"


@contextmanager
def repeating_server() -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the Authorization headers that it saw and repeated."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append(self.headers.get("Authorization", ""))
            said = f"{self.path} {dict(self.headers)} {SECRET} {TOKEN} \x1b]0;pwned\x07"
            body = (
                "<?xml version='1.0'?><Error><Code>AccessDenied</Code>"
                f"<Message>{escape(said.replace(chr(27), '').replace(chr(7), ''))}</Message>"
                f"<RequestId>{TOKEN}</RequestId></Error>"
            ).encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_a_server_repeats_is_in_no_output(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 3)
    with repeating_server() as (url, seen), receiving() as webhook:
        env = {
            **access(url, AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN),
            "BULKUP_NOTIFY_WEBHOOK": webhook.url,
            "BULKUP_STAGES": "upload",
        }
        options = ("--log-file", "log", "--metrics-file", "m.prom")
        ended = [
            bulkup("push", "photos", "--to", "s3://bucket", "--json", *options, env=env, check=4),
            bulkup("push", "photos", "--to", "s3://bucket", "-v", *options, env=env, check=4),
            bulkup("doctor", "--to", "s3://bucket", env=env, check=None),
            bulkup("ls", "--to", "s3://bucket", env=env, check=None),
            bulkup("rebuild", "--from", "s3://bucket", "--root", "x", env=env, check=None),
            bulkup("status", "--failed", "--verbose", "--json", env=env, check=None),
            bulkup("history", "--json", env=env, check=None),
        ]
        texts = [one.stdout + one.stderr for one in ended]
        texts += [str(message) for message in webhook.messages]
        files = [tmp_path / "log", tmp_path / "m.prom", *bulkup.home.iterdir()]
        texts += [path.read_bytes().decode("latin-1") for path in files if path.is_file()]
    signatures = {found for one in seen for found in re.findall(r"Signature=(\w+)", one)}
    assert signatures, "the server was asked"
    assert webhook.messages
    for text in texts:
        assert SECRET not in text
        assert TOKEN not in text
        assert not [one for one in signatures if one in text]
