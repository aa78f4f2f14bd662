"""Destinations that refuse, throttle or fail; manifests that cannot be used; secrets."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.conftest import Bulkup, Ended
from tests.e2e.trees import access, digest, ignores_permissions, make_tree, many, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.process import free_port

pytestmark = pytest.mark.usefixtures("uploads_only")

SECRET = "do-not-print-this-secret"  # a made-up one, to be looked for


def _nothing_dead(bulkup: Bulkup, files: int) -> None:
    states = bulkup("status", "--json").json()["stages"]["upload"]
    assert states["ready"] == files
    assert states["dead"] == states["waiting"] == states["claimed"] == 0


def _one_message(ended: Ended, *words: str) -> None:
    """The error is reported once, in words, without a traceback."""
    assert "Traceback" not in ended.stderr
    for word in words:
        assert word in ended.stderr
    message = ended.stderr.splitlines()[0]
    assert ended.stderr.count(message) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
        (404, "NoSuchBucket"),
        (400, "ExpiredToken"),
        (403, "RequestTimeTooSkewed"),
        (400, "AuthorizationHeaderMalformed"),
    ],
)
def test_a_refusing_destination_is_exit_4(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], status: int, code: str
) -> None:
    """One clear message with the server's code; nothing dead, nothing sent."""
    many(tmp_path / "photos", 20)
    s3 = fake_s3(faults=[Fault(times=None, status=status, code=code)])
    began = time.monotonic()
    ended = bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url), check=4)
    assert time.monotonic() - began < 30
    _one_message(ended, code)
    _nothing_dead(bulkup, 20)
    assert s3.held == {}
    s3.script()
    bulkup("push", "photos", env=access(s3.url))
    assert len(s3.held) == 20


def test_writing_may_be_refused_where_listing_is_not(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 20)
    s3 = fake_s3(faults=[Fault(op="PutObject", times=None, status=403)])
    ended = bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url), check=4)
    _one_message(ended, "AccessDenied", "s3:PutObject")
    _nothing_dead(bulkup, 20)


def test_a_closed_port_is_exit_4_within_half_a_minute(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 20)
    began = time.monotonic()
    url = f"http://127.0.0.1:{free_port()}"
    ended = bulkup("push", "photos", "--to", "s3://bucket", env=access(url), check=4)
    assert time.monotonic() - began < 30
    _one_message(ended, "refused", "--endpoint-url")
    _nothing_dead(bulkup, 20)


def test_a_quiet_run_tells_what_ended_it(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 2)
    url = f"http://127.0.0.1:{free_port()}"
    ended = bulkup("push", "photos", "--to", "s3://bucket", "-q", env=access(url), check=4)
    assert "refused" in ended.stderr
    assert ended.stdout == ""


def test_no_credentials_at_all(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 3)
    ended = bulkup("push", "photos", "--to", "s3://bucket", check=4)
    _one_message(ended, "credentials", "AWS_ACCESS_KEY_ID")
    _nothing_dead(bulkup, 3)


def test_keys_that_expire_on_the_way(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """The run waits a little, then stops; what was sent is recorded, the rest is ready."""
    many(tmp_path / "photos", 40)
    s3 = fake_s3(faults=[Fault(after=15, times=None, status=400, code="ExpiredToken")])
    ended = bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url), check=4)
    assert "ExpiredToken" in ended.stderr
    states = bulkup("status", "--json").json()["stages"]["upload"]
    assert states["dead"] == states["waiting"] == states["claimed"] == 0
    assert states["done"] == len(s3.held)
    assert states["done"] + states["ready"] == 40


def test_a_connection_that_is_lost_is_waited_for_and_then_given_up(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """One line says for what, why, and for how long; no file is failed."""
    many(tmp_path / "photos", 40)
    s3 = fake_s3(faults=[Fault(after=15, times=None, does="reset")])
    ended = bulkup(
        "push", "photos", "--to", "s3://bucket", "--wait-online", "2s", env=access(s3.url), check=4
    )
    assert ended.stderr.count("No connection to") == 1
    assert f"No connection to s3://bucket at {s3.url}: " in ended.stderr
    assert "giving up in 2 s (--wait-online)" in ended.stderr
    states = bulkup("status", "--json").json()["stages"]["upload"]
    assert states["dead"] == states["waiting"] == states["claimed"] == 0
    assert states["done"] + states["ready"] == 40
    s3.script()
    bulkup("resume", env=access(s3.url))
    assert len(s3.held) == 40


def test_a_directory_whose_disk_is_not_mounted(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 3)
    ended = bulkup("push", "photos", "--to", "mnt/disk/store", check=4)
    _one_message(ended, "mnt/disk")
    _nothing_dead(bulkup, 3)


@pytest.mark.parametrize("leaves_mount_point", [False, True])
def test_a_disk_that_was_pushed_to_and_is_gone(
    bulkup: Bulkup, tmp_path: Path, leaves_mount_point: bool
) -> None:
    """Nothing is written where the disk was, and its absence is noticed with nothing to write."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    (tmp_path / "nas").rename(tmp_path / "unplugged")
    if leaves_mount_point:
        (tmp_path / "nas").mkdir()
    assert "Nothing was sent." in bulkup("push", "photos", check=4).stdout
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    ended = bulkup("push", "photos", check=4)
    _one_message(ended, "is it mounted?")
    _nothing_dead(bulkup, 1)
    assert "is it mounted?" in bulkup("doctor", check=None).stdout
    verified = bulkup("verify", check=4)
    assert "is it mounted?" in verified.stderr
    assert verified.stdout == ""
    if leaves_mount_point:
        assert list((tmp_path / "nas").iterdir()) == []
        (tmp_path / "nas").rmdir()
    (tmp_path / "unplugged").rename(tmp_path / "nas")
    bulkup("resume")
    assert (tmp_path / "nas" / "b.jpg").exists()


def test_a_destination_that_was_removed_for_good_can_be_filled_again(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """As the message says."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    shutil.rmtree(tmp_path / "nas")
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    assert str(tmp_path / "nas" / ".bulkup") in bulkup("push", "photos", check=4).stderr
    (tmp_path / "nas" / ".bulkup").mkdir(parents=True)
    bulkup("verify", check=3)
    bulkup("retry", "--failed")
    bulkup("resume")
    assert {"a.jpg", "b.jpg"} <= {path.name for path in (tmp_path / "nas").iterdir()}


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(op="PutObject", after=5, times=6, status=503, retry_after_seconds=1)],
        [Fault(op="PutObject", after=n * 7, times=1, status=500) for n in range(6)],
        [Fault(op="PutObject", after=n * 7, times=1, does="reset") for n in range(6)],
        [Fault(op="PutObject", after=n * 7, times=1, does="lose") for n in range(1, 6)],
    ],
    ids=["throttled", "500s", "resets", "lost answers"],
)
def test_a_faulty_store_gets_everything_in_the_end(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], faults: list[Fault]
) -> None:
    many(tmp_path / "photos", 60)
    s3 = fake_s3(faults=faults)
    bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    assert set(s3.digests.values()) == {digest(picture(n)) for n in range(60)}
    assert len(s3.held) == 60
    states = bulkup("status", "--json").json()["stages"]["upload"]
    assert states["done"] == 60
    assert states["dead"] == states["waiting"] == 0


@pytest.mark.parametrize("conditional", ["ignored", "refused"])
def test_an_endpoint_without_conditional_writes(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], conditional: str
) -> None:
    """Keys are looked for before they are written; nothing is overwritten."""
    many(tmp_path / "photos", 30)
    s3 = fake_s3(conditional_writes=conditional)
    bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    make_tree(tmp_path / "photos", {"000/00003.jpg": picture("other")})
    bulkup("push", "photos", env=access(s3.url), check=0)
    bulkup("push", "photos", "--manifest", "lost.db", "--to", "s3://bucket", env=access(s3.url))
    assert set(s3.digests.values()) == {
        *(digest(picture(n)) for n in range(30)),
        digest(picture("other")),
    }
    assert s3.digests["/bucket/000/00003.jpg"] == digest(picture(3))


def test_a_second_push_makes_no_request(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 30)
    s3 = fake_s3()
    bulkup("push", "photos", "--to", "s3://bucket/p", env=access(s3.url))
    s3.seen.clear()
    ended = bulkup("push", "photos", env=access(s3.url))
    assert ended.stdout == "Nothing changed: 30 files, all in s3://bucket/p\n"
    assert s3.seen == []


def test_max_errors_stops_the_run(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 40)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=5, times=None, status=400)])
    ended = bulkup(
        "push", "photos", "--to", "s3://bucket", "--max-errors", "3", env=access(s3.url), check=3
    )
    assert "to upload" in ended.stdout
    failed = bulkup("status", "--failed", "--json", check=3).json()
    assert {row["error_class"] for row in failed} == {"invalid"}
    assert all("BadRequest" in row["error"] for row in failed)


# The manifest -----------------------------------------------------------------------------------


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 9999")
    db.close()


def _corrupt(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[4096:] = os.urandom(len(raw) - 4096)
    path.write_bytes(raw)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (x)")
    db.close()


@pytest.mark.parametrize("damage", [_newer, _corrupt, _garbage, _foreign])
@pytest.mark.parametrize("command", [("push", "photos"), ("status",), ("files",), ("history",)])
def test_an_unusable_manifest_is_exit_5(
    bulkup: Bulkup, tmp_path: Path, damage: Callable[[Path], None], command: tuple[str, ...]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    manifest = bulkup.home / "manifest.db"
    damage(manifest)
    before = manifest.read_bytes()
    ended = bulkup(*command, check=5)
    assert str(manifest) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert manifest.read_bytes() == before


def test_a_manifest_that_cannot_be_made(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "file").write_bytes(b"")
    ended = bulkup("push", "photos", "--manifest", "file/manifest.db", check=5)
    assert "file/manifest.db" in ended.stderr
    ended = bulkup("push", "photos", "--manifest", ".", check=5)
    assert "directory" in ended.stderr


@pytest.mark.skipif(ignores_permissions(), reason="nothing is read-only here")
def test_a_manifest_in_a_read_only_directory(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    bulkup.home.chmod(0o500)
    try:
        bulkup("push", "photos", check=5)
        assert bulkup("status", "--json").json()["assets"]["total"] == 1
    finally:
        bulkup.home.chmod(0o700)


# Secrets ----------------------------------------------------------------------------------------


def test_secrets_stay_secret(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Not in the manifest, the log, the output: not even when the keys are refused."""
    many(tmp_path / "photos", 5)
    s3 = fake_s3(faults=[Fault(after=3, times=None, status=403, code="SignatureDoesNotMatch")])
    env = access(s3.url, AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=f"token-{SECRET}")
    outputs = [
        bulkup("push", "photos", "--to", "s3://bucket", "-v", "--log-file", "log", "--json",
               env=env, check=None),
        bulkup("doctor", "--to", "s3://bucket", env=env, check=None),
        bulkup("status", "--failed", env=env, check=None),
    ]  # fmt: skip
    for ended in outputs:
        assert SECRET not in ended.stdout + ended.stderr
    for path in [tmp_path / "log", *bulkup.home.iterdir()]:
        assert SECRET.encode() not in path.read_bytes()
    shutil.rmtree(bulkup.home)


def test_a_bug_exits_1_and_asks_for_a_report(bulkup, tmp_path):
    """Scripted: nothing else makes bulkup fail in a way that nobody foresaw."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(
        "import secrets\nsecrets.token_hex = lambda size: 1 / 0\n", "utf-8"
    )
    (tmp_path / "a.jpg").write_bytes(b"x")
    ended = bulkup(
        "push", str(tmp_path / "a.jpg"), env={"PYTHONPATH": str(tmp_path / "broken")}, check=None
    )
    assert ended.code == 1
    assert "unexpected error: ZeroDivisionError" in ended.stderr
    assert "report" in ended.stderr


def test_an_unplugged_source_is_exit_4_and_nothing_is_gone(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 30)
    bulkup("push", "photos", "--to", "nas")
    (tmp_path / "photos").rename(tmp_path / "unplugged")
    (tmp_path / "photos").mkdir()
    ended = bulkup("push", "photos", check=4)
    assert f"bulkup: {tmp_path / 'photos'} had files before and is empty" in ended.stderr
    assert "is the disk mounted?\n  Mount it" in ended.stderr
    assert bulkup("status", "--json").json()["assets"]["missing"] == 0
    (tmp_path / "photos").rmdir()
    (tmp_path / "unplugged").rename(tmp_path / "photos")
    assert "Nothing changed: 30 files" in bulkup("push", "photos").stdout


@pytest.mark.parametrize(
    ("path", "words"),
    [("~/photos", "did not expand ~"), ("s3:/bucket/x", "--to s3://bucket/x"),
     ("S3://bucket/x", "--to S3://bucket/x"), ("minio:bucket/x", "s3://bucket/x")],
)  # fmt: skip
def test_what_is_no_path_of_this_machine_gets_a_hint(
    bulkup: Bulkup, tmp_path: Path, path: str, words: str
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    assert words in bulkup("push", "photos", path, check=2).stderr
    assert not (bulkup.home / "manifest.db").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [(("--to", "s3:/bucket/x"), "s3://bucket/x?"), (("--to", "minio:bucket/x"), "--endpoint-url"),
     (("--to", "s3://a/b"), "3 to 63"), (("--metadata", "foo"), "--metadata KEY=VALUE"),
     (("--tag", "foo"), "--tag KEY=VALUE")],
)  # fmt: skip
def test_a_mistyped_option_is_explained_before_any_work(
    bulkup: Bulkup, tmp_path: Path, option: tuple[str, str], words: str
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    assert words in bulkup("push", "photos", *option, check=2).stderr
    assert not (bulkup.home / "manifest.db").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SecondLevelDomainForbidden", "--addressing-style virtual"),
        ("AccessDenied", "s3:ListBucket"),
        ("UserSuspended", "suspended"),
        ("SomethingElse", "SomethingElse (403)"),
    ],
)
def test_the_hint_of_a_403_fits_its_code(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], code: str, words: str
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(faults=[Fault(times=None, status=403, code=code)])
    push = bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url), check=4).stderr
    doctor = bulkup("doctor", "--to", "s3://bucket", env=access(s3.url), check=4).stdout
    for said in (push, doctor):
        assert words in said
        assert ("s3:ListBucket" in said) is (code == "AccessDenied")


@pytest.mark.parametrize(
    ("bucket", "ending", "words"),
    [
        ("missing", "/some/path", "has the path /some/path"),
        ("missing", "/missing/", "ends with the bucket"),
        ("Missing", "", "lower case: --to s3://missing"),
        ("missing", "", "Create the bucket"),
    ],
)
def test_a_bucket_that_is_not_there_names_the_culprit(
    bulkup: Bulkup,
    tmp_path: Path,
    fake_s3: Callable[..., FakeS3],
    bucket: str,
    ending: str,
    words: str,
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(faults=[Fault(times=None, status=404, code="NoSuchBucket")])
    to = ("--to", f"s3://{bucket}/x", "--endpoint-url", f"{s3.url}{ending}")
    assert words in bulkup("push", "photos", *to, env=access(s3.url), check=4).stderr


def test_https_to_a_port_without_tls_says_so(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        url = f"https://127.0.0.1:{server.server_port}"
        to = ("--to", "s3://bucket", "--endpoint-url", url)
        said = bulkup("push", "photos", *to, env=access(url), check=4).stderr
        server.shutdown()
        serving.join()
    assert "does not speak TLS" in said
    assert "http://" in said


def test_a_scheme_in_capitals_keeps_the_endpoint(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3()
    keys = {name: value for name, value in access(s3.url).items() if "URL" not in name}
    bulkup("push", "photos", "--to", "S3://bucket/x", "--endpoint-url", s3.url, env=keys)
    assert "Nothing changed" in bulkup("push", "photos", "--to", "s3://bucket/x/", env=keys).stdout


def test_two_servers_of_one_url_are_told_apart_on_the_screen(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    with FakeS3() as one, FakeS3() as two:
        for s3 in (one, two):
            bulkup("push", "photos", "--to", "s3://bucket/x", env=access(s3.url))
            assert f"s3://bucket/x at {s3.url}" not in bulkup("status").stdout or s3 is two
        for s3 in (one, two):
            assert f"s3://bucket/x at {s3.url}: 1 object" in bulkup("status").stdout
            checked = bulkup("verify", env=access(one.url)).stdout
            assert f"s3://bucket/x at {s3.url}: 1 object checked" in checked
        env = {k: v for k, v in access(one.url).items() if "ENDPOINT" not in k}
        refused = bulkup("push", "photos", "--to", "s3://bucket/y", env=env, check=2)
        assert f"may be at {one.url} or at {two.url}" in refused.stderr
