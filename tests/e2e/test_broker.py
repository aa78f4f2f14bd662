"""Uploads through a real `bulkup serve`, by clients that have no keys of the bucket."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.serving import KEYS, MANY, Serving, stored
from tests.fakes.faults import Fault

pytestmark = pytest.mark.usefixtures("uploads_only")
MIB = 1024**2


Serve = Callable[..., Serving]


@pytest.fixture
def serve(bulkup: Bulkup) -> Iterator[Serve]:
    """Starts a server for a destination; `toml` are more of its settings."""

    def start(to: str, toml: str = "", **env: str) -> Serving:
        bulkup.use_settings(f'[push]\nto = "{to}"\n{toml}')
        one = Serving(bulkup, (), env)
        one.start()
        return one

    return start


def at_s3(serve: Serve, url: str, toml: str = "") -> Serving:
    return serve("s3://bucket/p", toml, AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1", **KEYS)


def test_a_client_without_keys_pushes_to_a_bucket(serve: Serve, fake_s3: Any) -> None:
    s3 = fake_s3(keep_bodies=True)
    server = at_s3(serve, s3.url)
    client = server.client("laptop")
    client.write(20)
    (client.photos / "same.jpg").write_bytes((client.photos / "0-1.jpg").read_bytes())
    planned = client.push("--dry-run")
    assert (planned["sent"], planned["duplicates"], planned["copied"]) == (20, 1, 0)
    pushed = client.push()
    assert (pushed["sent"], pushed["duplicates"], pushed["copied"]) == (20, 1, 1)
    assert stored(s3) == sorted(f"/bucket/p/0-{n}.jpg" for n in range(20))
    assert client.push()["sent"] == 0
    stages = server.status()["stages"]
    assert (stages["upload"]["done"], stages["process"]["ready"]) == (20, 20)
    assert (server.status()["assets"]["total"], server.status()["assets"]["unique"]) == (21, 20)


def test_two_clients_with_the_same_files_make_each_object_once(serve: Serve, fake_s3: Any) -> None:
    s3 = fake_s3()
    server = at_s3(serve, s3.url, MANY)
    clients = [server.client(name) for name in ("laptop", "phone")]
    for client in clients:
        client.write(150)
    running = [client.start_push() for client in clients]
    for client, process in zip(clients, running, strict=True):
        client.bulkup.finish(process, check=0)
    assert len(stored(s3)) == 150
    assert server.status()["assets"] == {
        **server.status()["assets"],
        "total": 300,
        "unique": 150,
    }


def test_a_url_that_has_expired_is_answered_by_a_new_one(serve: Serve, fake_s3: Any) -> None:
    s3 = fake_s3()
    server = at_s3(serve, s3.url, MANY)
    client = server.client("laptop")
    client.write(30)
    s3.script(Fault(op="PutObject", path="/bucket/p/0-*", status=403, after=3, times=12))
    assert client.push()["sent"] == 30
    assert s3.count("PutObject", 403) == 12
    assert len(stored(s3)) == 30


def test_urls_that_are_never_taken_are_no_endless_loop(serve: Serve, fake_s3: Any) -> None:
    s3 = fake_s3()
    server = at_s3(serve, s3.url, MANY)
    client = server.client("laptop")
    client.write(1)
    s3.script(Fault(op="PutObject", path="/bucket/p/0-*", status=403, times=None))
    summary = client.push(check=4)
    assert summary["sent"] == 0
    assert s3.count("PutObject", 403) < 30


def test_a_server_that_throttles_is_obeyed(serve: Serve, tmp_path: Path) -> None:
    """Nothing fails, and nothing is sent twice."""
    server = serve(str(tmp_path / "store"), "[serve]\nburst = 5\nper_minute = 600\n")
    client = server.client("laptop")
    client.write(25)
    summary = client.push()
    assert (summary["sent"], summary["dead"], summary["waiting"]) == (25, 0, 0)
    failed = client.bulkup("status", "--failed", "--json", check=0).json()
    assert failed == []


def test_many_files_take_few_of_the_calls_that_are_limited(serve: Serve, fake_s3: Any) -> None:
    """One call announces what is sent at the same time: 300 files, where 100 calls are allowed."""
    s3 = fake_s3()
    server = at_s3(serve, s3.url, "[serve]\nburst = 100\nper_minute = 1\n")
    client = server.client("laptop")
    client.write(300)
    assert client.push()["sent"] == 300
    assert len(stored(s3)) == 300
    headers = {"Authorization": f"Bearer {client.env['BULKUP_TOKEN']}"}
    with urlopen(Request(f"{server.url}/api/v1/stats", headers=headers), timeout=30) as answer:
        assert int(answer.headers["X-RateLimit-Remaining"]) > 0


def test_a_killed_client_goes_on_where_it_was(serve: Serve, fake_s3: Any) -> None:
    s3 = fake_s3()
    server = at_s3(serve, s3.url, MANY + '[s3]\npart_threshold = "6MiB"\npart_size = "5MiB"\n')
    client = server.client("laptop")
    client.bulkup.use_settings('[s3]\npart_threshold = "6MiB"\npart_size = "5MiB"\n')
    client.write(3)
    client.write(1, size_bytes=23 * MIB, seed=7)
    s3.script(Fault(op="UploadPart", does="hold", after=2, times=None))
    pushing = client.start_push()
    s3.wait_for("UploadPart", 3)
    pushing.kill()
    pushing.wait()
    s3.script()
    s3.release()
    client.push()
    assert len(stored(s3)) == 4
    assert s3.count("CreateMultipartUpload") == 1
    # Those in flight may arrive after all, and beside their second try; the first two never again.
    assert s3.count("UploadPart", 200) <= 5 + 3
    assert client.push()["sent"] == 0


def test_a_killed_server_costs_no_file(serve: Serve, fake_s3: Any) -> None:
    s3 = fake_s3()
    server = at_s3(serve, s3.url, MANY)
    client = server.client("laptop")
    client.write(40)
    s3.script(Fault(op="PutObject", path="/bucket/p/0-*", does="hold", after=10, times=1))
    pushing = client.start_push()
    s3.wait_for("PutObject", 15)
    server.kill()
    s3.script()
    s3.release()
    server.start()
    client.bulkup.finish(pushing, check=0)
    assert len(stored(s3)) == 40
    assert server.status()["stages"]["upload"]["done"] == 40


def test_a_client_gets_its_files_back(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(tmp_path / "store"), MANY)
    client = server.client("laptop")
    client.write(5)
    client.write(1, size_bytes=3 * MIB, seed=1)
    client.push()
    before = {path.name: path.read_bytes() for path in client.photos.iterdir()}
    for path in client.photos.iterdir():
        path.unlink()
    client.bulkup("pull", "--into", "back", env=client.env)
    back = {p.name: p.read_bytes() for p in (client.bulkup.directory / "back").rglob("*.jpg")}
    assert back == before


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "is no bulkup serve"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "is no bulkup serve"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "is no bulkup serve"),
        (b"HTTP/1.1 511 Sign in\r\ncontent-length: 0\r\n\r\n", "sign-in page"),
        (b"HTTP/1.1 301 Moved\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", "no bulkup serve"),
    ],
)
def test_other_servers_are_named_as_what_they_are_not(
    bulkup: Bulkup, answer: bytes, says: str
) -> None:
    (bulkup.directory / "photos").mkdir()
    (bulkup.directory / "photos/a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return
                with one:
                    one.recv(65536)
                    one.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        ended = bulkup(
            "push", "photos", "--to", f"http://127.0.0.1:{port}", env={"BULKUP_TOKEN": "x"}, check=4
        )
        listening.shutdown(socket.SHUT_RDWR)
    assert says in ended.stderr


def test_tokens_that_may_not_upload_are_refused(serve: Serve, tmp_path: Path) -> None:
    server = serve(str(tmp_path / "store"))
    client = server.client("laptop")
    client.write(1)
    wrong = {"BULKUP_TOKEN": "bku_wrong"}
    ended = client.bulkup("push", "photos", "--to", server.url, env=wrong, check=4)
    assert "BULKUP_TOKEN" in ended.stderr
    assert "bku_wrong" not in ended.stderr
    said = server.bulkup("token", "add", "watcher", "--role", "viewer").stdout
    token = re.search(r"bku_\S+", said)
    assert token is not None
    viewer = {"BULKUP_TOKEN": token[0]}
    ended = client.bulkup("push", "photos", "--to", server.url, env=viewer, check=4)
    assert "uploader" in ended.stderr
    client.bulkup("push", "photos", "--to", server.url, check=4)


def test_clear_text_to_another_host_is_refused(bulkup: Bulkup) -> None:
    (bulkup.directory / "photos").mkdir()
    ended = bulkup("push", "photos", "--to", "http://photos.example.org:8765", check=2)
    assert "clear text" in ended.stderr
