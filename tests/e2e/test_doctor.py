"""bulkup doctor: every result has a level, and what is not ok says how to fix it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, make_tree, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint
from tests.servers.process import free_port

pytestmark = pytest.mark.usefixtures("uploads_only")


def test_a_fresh_machine_is_well_and_stays_fresh(bulkup: Bulkup) -> None:
    ended = bulkup("doctor")
    assert "manifest.db is not there yet" in ended.stdout
    assert f"{bulkup.home / 'store'}: directory: is not there yet" in ended.stdout
    assert "failed" not in ended.stdout
    assert not bulkup.home.exists()


def test_it_says_what_pictures_can_be_worked_on(bulkup: Bulkup) -> None:
    found = {one["subject"]: one for one in bulkup("doctor", "--json").json()}
    for subject in ("HEIC", "AVIF", "raw pictures", "videos", "downloads", "embedder"):
        assert found[subject]["level"] == "ok"
    assert found["embedder"]["found"] == "efficientnet-lite0: is installed"
    assert str(tempfile.gettempdir()) in found["downloads"]["found"]


def test_what_is_not_installed_is_named_with_its_extra(bulkup: Bulkup, tmp_path: Path) -> None:
    """That costs nothing else; a library that does not load is a warning."""
    for module in ("rawpy", "av"):
        hidden = tmp_path / "hidden" / module
        hidden.mkdir(parents=True)
        (hidden / "__init__.py").write_text("raise ImportError('libraw.so: not found')")
    env = {"PYTHONPATH": str(tmp_path / "hidden"), "BULKUP_EMBED_MODEL": "http"}
    found = {one["subject"]: one for one in bulkup("doctor", "--json", env=env).json()}
    assert found["raw pictures"]["level"] == "warning"
    assert "libraw.so: not found" in found["raw pictures"]["found"]
    assert found["raw pictures"]["mend"].endswith(" install 'rawpy<1,>=0.24'")
    assert found["videos"]["mend"].endswith(" install 'av<19,>=14'")
    assert found["embedder"]["level"] == "warning"
    assert "remote_model" in found["embedder"]["mend"]


def test_a_library_that_fails_to_load_in_any_way_is_a_warning(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """One that was built for another numpy raises ValueError when it is imported."""
    make_tree(tmp_path, {"rawpy/__init__.py": b"raise ValueError('numpy.dtype size changed')"})
    ended = bulkup("doctor", "--json", env={"PYTHONPATH": str(tmp_path)})
    found = {one["subject"]: one for one in ended.json()}
    assert found["raw pictures"]["level"] == "warning"
    assert "numpy.dtype size changed" in found["raw pictures"]["found"]


def test_a_service_is_named_without_its_password(bulkup: Bulkup) -> None:
    env = {
        "BULKUP_EMBED_MODEL": "http",
        "BULKUP_EMBED_URL": "https://me:secret@embed.example.org/v1",
        "BULKUP_EMBED_REMOTE_MODEL": "jina-clip-v2",
    }
    ended = bulkup("doctor", env=env)
    assert "embedder: http: jina-clip-v2 at embed.example.org (not asked)" in ended.stdout
    assert "secret" not in ended.stdout


def test_downloads_go_where_tmpdir_says(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    found = bulkup("doctor", env={"TMPDIR": str(tmp_path / "scratch")}).stdout
    assert f"free under {tmp_path / 'scratch'}" in found


def test_it_knows_the_destinations_of_the_manifest(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3()
    bulkup("push", "photos", "--to", "store")
    bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    s3.seen.clear()
    found = bulkup("doctor", "--json", env=access(s3.url)).json()
    assert {one["of"] for one in found} == {"", str(tmp_path / "store"), "s3://bucket"}
    assert s3.count("PutObject") == 0, "what the endpoint can do is remembered"
    writes = next(one for one in found if one["subject"] == "conditional writes")
    assert "remembered" in writes["found"]
    levels = {one["subject"]: one["level"] for one in found}
    assert levels["WAL"] == levels["manifest"] == "ok"


@pytest.mark.parametrize(("code", "status"), [("InvalidAccessKeyId", 403), ("NoSuchBucket", 404)])
def test_a_destination_that_refuses_is_exit_4(
    bulkup: Bulkup, fake_s3: Callable[..., FakeS3], code: str, status: int
) -> None:
    s3 = fake_s3(faults=[Fault(times=None, status=status, code=code)])
    ended = bulkup("doctor", "--to", "s3://bucket", env=access(s3.url), check=4)
    assert code in ended.stdout
    assert "failed" in ended.stdout


def test_a_closed_port_is_exit_4(bulkup: Bulkup) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ended = bulkup("doctor", "--to", "s3://bucket", "--json", env=access(url), check=4)
    (failed,) = (one for one in ended.json() if one["level"] == "failed")
    assert "refused" in failed["found"]
    assert "--endpoint-url" in failed["mend"]


def test_endpoints_that_can_do_less_are_warned_of(
    bulkup: Bulkup, fake_s3: Callable[..., FakeS3]
) -> None:
    s3 = fake_s3(conditional_writes="ignored")
    ended = bulkup("doctor", "--to", "s3://bucket/p", "--json", env=access(s3.url))
    found = {one["subject"]: one["level"] for one in ended.json()}
    assert found["conditional writes"] == "warning"
    assert s3.held == {}


def test_keys_that_may_not_delete_will_do(bulkup: Bulkup, fake_s3: Callable[..., FakeS3]) -> None:
    """The probe's object then stays, and its key is named."""
    s3 = fake_s3(faults=[Fault(op="DeleteObject", times=None, status=403)])
    ended = bulkup("doctor", "--to", "s3://bucket/p", env=access(s3.url))
    (path,) = s3.held
    assert path.startswith("/bucket/p/.bulkup/doctor-")
    assert path.removeprefix("/bucket/") in ended.stdout


def test_a_clock_that_is_wrong(bulkup: Bulkup, fake_s3: Callable[..., FakeS3]) -> None:
    s3 = fake_s3(faults=[Fault(times=None, status=403, code="RequestTimeTooSkewed")])
    ended = bulkup("doctor", "--to", "s3://bucket", env=access(s3.url), check=4)
    assert "clock" in ended.stdout


def test_no_credentials(bulkup: Bulkup) -> None:
    ended = bulkup("doctor", "--to", "s3://bucket", check=4)
    assert "no credentials were found" in ended.stdout
    assert "AWS_ACCESS_KEY_ID" in ended.stdout


def test_a_damaged_manifest_is_exit_5(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    manifest = bulkup.home / "manifest.db"
    raw = bytearray(manifest.read_bytes())
    raw[8192:] = b"\xa5" * (len(raw) - 8192)
    manifest.write_bytes(raw)
    ended = bulkup("doctor", check=5)
    assert "Move it away" in ended.stdout


def test_uploads_by_url_and_pages_are_checked_on_demand(
    bulkup: Bulkup, fake_s3: Callable[..., FakeS3]
) -> None:
    s3 = fake_s3()
    to = ("doctor", "--to", "s3://bucket/p", "--json")
    ended = bulkup(*to, "--cors", env=access(s3.url))
    found = {one["subject"]: one for one in ended.json()}
    assert "the SHA-256" in found["signed URLs"]["found"]
    assert found["CORS"]["level"] == "warning"
    assert '"AllowedOrigins": ["http://127.0.0.1:8765"]' in found["CORS"]["mend"]
    assert s3.held == {}
    assert "CORS" not in {one["subject"] for one in bulkup(*to, env=access(s3.url)).json()}


def test_rules_that_let_pages_upload_are_ok(bulkup: Bulkup, s3: Endpoint) -> None:
    bucket = s3.make_bucket()
    rule = {
        "AllowedOrigins": ["http://127.0.0.1:8765"],
        "AllowedMethods": ["PUT", "GET", "HEAD"],
        "AllowedHeaders": ["*"],
    }
    s3.client().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    found = bulkup(
        "doctor", "--to", f"s3://{bucket}", "--cors", "--json", env=access(s3.url)
    ).json()
    cors = next(one for one in found if one["subject"] == "CORS")
    assert cors["level"] == "ok", cors


def test_variables_that_are_no_settings_are_named(bulkup: Bulkup) -> None:
    env = {"BULKUP_LIMT": "5", "BULKUP_LIMIT": "5", "BULKUP_EMBED_KEY": "k"}
    lines = bulkup("doctor", env=env).stdout.splitlines()
    at = lines.index("warning BULKUP_LIMT: no setting of bulkup")
    assert lines[at + 1].strip() == "Did you mean BULKUP_LIMIT?"
    assert sum("no setting of bulkup" in line for line in lines) == 1
