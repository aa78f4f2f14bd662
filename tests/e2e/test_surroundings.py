"""Networks, limits and locales as machines have them: IPv6, proxies, hosts of buckets, few
descriptors, no UTF-8, warnings of Python."""

from __future__ import annotations

import resource
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.trees import make_tree, picture
from tests.fakes.s3_server import FakeS3
from tests.servers import forward_proxy
from tests.servers.endpoint import Endpoint
from tests.servers.process import free_port

pytestmark = pytest.mark.usefixtures("uploads_only")

NAMES = ("a.jpg", "sub folder/b+c é.jpg")
AMAZON = "s3.us-east-1.amazonaws.com"


def photos(directory: Path, count: int = 2) -> Path:
    names = NAMES if count == 2 else [f"{number:05}.jpg" for number in range(count)]
    return make_tree(directory / "photos", {name: picture(name, 900) for name in names})


def keys_in(s3: Endpoint, bucket: str) -> set[str]:
    client = s3.client()
    found = {one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", [])}
    client.close()
    return found


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_an_endpoint_in_ipv6(bulkup: Bulkup, tmp_path: Path, s3: Endpoint) -> None:
    photos(tmp_path)
    bucket = s3.make_bucket()
    with forward_proxy.running(s3.url, host="::1") as server:
        there = {**s3.environment, "AWS_ENDPOINT_URL": server.url}
        bulkup("push", "photos", "--to", f"s3://{bucket}", env=there)
        assert keys_in(s3, bucket) == set(NAMES)
        assert bulkup("verify", env=there).code == 0
        assert "[::1]" in bulkup("doctor", "--to", f"s3://{bucket}", env=there, check=None).stdout
        bulkup("pull", "--into", "back", env=there)
    assert (tmp_path / "back" / NAMES[0]).exists() or list((tmp_path / "back").rglob("a.jpg"))


@pytest.mark.parametrize("bucket", ["bucket-of-mine", "photos.example.org"])
def test_virtual_hosts_through_a_proxy(
    bulkup: Bulkup, tmp_path: Path, s3: Endpoint, bucket: str
) -> None:
    """A bucket with dots keeps the path: no certificate of a wildcard covers its host."""
    photos(tmp_path)
    client = s3.client()
    client.create_bucket(Bucket=bucket)
    client.close()
    with forward_proxy.running(s3.url) as proxy:
        env = {**s3.environment, "AWS_ENDPOINT_URL": f"http://{AMAZON}", "http_proxy": proxy.url}
        style = ("--addressing-style", "auto" if "." in bucket else "virtual")
        bulkup("push", "photos", "--to", f"s3://{bucket}", *style, env=env)
    assert keys_in(s3, bucket) == set(NAMES)
    assert set(proxy.hosts) == {AMAZON if "." in bucket else f"{bucket}.{AMAZON}"}


def test_no_proxy_for_all(bulkup: Bulkup, tmp_path: Path, s3: Endpoint) -> None:
    photos(tmp_path)
    bucket = s3.make_bucket()
    closed = f"http://127.0.0.1:{free_port()}"
    direct = {**s3.environment, "HTTP_PROXY": closed, "ALL_PROXY": closed, "NO_PROXY": "*"}
    bulkup("push", "photos", "--to", f"s3://{bucket}", env=direct)
    assert keys_in(s3, bucket) == set(NAMES)
    wrong = {**direct, "NO_PROXY": "", "BULKUP_WAIT_ONLINE": "0s"}
    (tmp_path / "photos" / "new.jpg").write_bytes(picture("new", 900))
    ended = bulkup("push", "photos", env=wrong, check=4)
    assert closed.removeprefix("http://") in ended.stderr, "the proxy is named"


def test_few_descriptors(tmp_path: Path) -> None:
    """`ulimit -n 256`, soft and hard, and more files than that."""
    photos(tmp_path, 2000)
    with FakeS3() as s3:
        ended = subprocess.run(
            [PROGRAM, "push", "photos", "--to", "s3://bucket", "--stages", "upload"],
            cwd=tmp_path,
            env=Bulkup(tmp_path).environment(Endpoint(s3.url).environment),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
        )
        assert (ended.returncode, s3.count("PutObject", 200)) == (0, 2000), ended.stderr


def test_a_locale_without_utf_8(bulkup: Bulkup, tmp_path: Path) -> None:
    photos(tmp_path)
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for command in (
        ("push", "photos", "--to", "store"),
        ("status",),
        ("files",),
        ("verify",),
        ("history",),
        ("push", "--help"),
        ("pull", "--into", "back"),
    ):
        ended = bulkup(*command, env=plain)
        assert "Traceback" not in ended.stderr
    assert sorted(p.name for p in (tmp_path / "back").rglob("*.jpg")) == ["a.jpg", "b+c é.jpg"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_pythons_development_mode_has_nothing_to_say(
    bulkup: Bulkup, tmp_path: Path, s3: Endpoint
) -> None:
    photos(tmp_path)
    env = {**s3.environment, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error::ResourceWarning"}
    bucket = s3.make_bucket()
    for command in (
        ("push", "photos", "--to", f"s3://{bucket}"),
        ("status",),
        ("verify",),
        ("pull", "--into", "back"),
        ("files",),
    ):
        ended = bulkup(*command, env=env)
        assert "Warning" not in ended.stderr, ended.stderr
        assert "Exception ignored" not in ended.stderr, ended.stderr
