"""One destination has one canonical URL, and no URL that is shown holds a secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkup.errors import UsageError
from bulkup.manifest.manifest import Manifest
from bulkup.stores.urls import BucketURL, canonical, parse, redact
from tests.faults.pushing import Pushing


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/p",
        "s3://bucket/p/",
        "s3://bucket/p//",
        "S3://bucket/p",
    ],
)
def test_one_prefix_of_a_bucket_is_one_destination(url: str) -> None:
    assert canonical(url) == "s3://bucket/p"


@pytest.mark.parametrize(
    "url",
    [
        "/photos/2026",
        "/photos/2026/",
        "/photos/./2026",
        "/photos/other/../2026",
        "file:///photos/2026",
        "file:///photos/2026/",
        "FILE:///photos/2026",
        "file://localhost/photos/2026",
        "file:///photos/%32026",
        "file:/photos/2026",
    ],
)
def test_one_directory_is_one_destination(url: str) -> None:
    assert canonical(url) == "/photos/2026"


async def test_a_file_url_and_its_path_are_pushed_to_as_one_destination(tmp_path: Path) -> None:
    pushing = Pushing(tmp_path, f"file://{tmp_path}/to")
    pushing.write({"a.jpg": b"a"})
    assert (await pushing.push()).sent == 1
    pushing.to = f"{tmp_path}/to/"
    assert (await pushing.push()).sent == 0
    with Manifest(pushing.manifest) as manifest:
        assert [one.url for one in manifest.destinations.all()] == [f"{tmp_path}/to"]


def test_relative_paths_and_home_directories_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/anna")
    assert canonical("to") == str(tmp_path / "to")
    assert canonical("~/to") == "/home/anna/to"


@pytest.mark.parametrize("url", ["/a?b#c", "file:///a?b#c"])
def test_question_marks_and_hashes_are_part_of_a_path(url: str) -> None:
    assert canonical(url) == "/a?b#c"


@pytest.mark.parametrize("url", ["s3://bucket/p", "/photos", "to", "s3://bucket", "s3://bucket//a"])
def test_a_canonical_url_stays_as_it_is(url: str) -> None:
    assert canonical(canonical(url)) == canonical(url)


def test_bucket_and_prefix() -> None:
    assert parse("s3://my.bucket/a#b?c/") == BucketURL("my.bucket", "a#b?c")
    assert parse("s3://bucket") == BucketURL("bucket", "")
    assert parse(os.curdir) == os.getcwd()


@pytest.mark.parametrize(
    "url",
    ["", "s3://", "s3:///key", "s3://u:p@bucket/k", "gs://bucket/k", "http://host/bucket",
     "file://host/dir", "file://", "file://localhost"],
)  # fmt: skip
def test_everything_else_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("s3:/photos/x", "s3://photos/x?"),
        ("S3:photos", "s3://photos?"),
        ("minio:photos/x", "s3://photos/x, with --endpoint-url"),
        ("me@nas:/volume/photos", "./me@nas:/volume/photos"),
        ("arn:aws:s3:::photos/x", "s3://photos/x,"),
        ("https://minio.example.org/photos/x", "s3://photos/x --endpoint-url https://minio.examp"),
        ("gs://photos/x", "Use s3://bucket/prefix"),
        ("s3://a/b", "3 to 63"),
        ("s3://ab", "3 to 63"),
        ("s3://photos%202/x", "3 to 63"),
        (f"s3://{'a' * 256}", "3 to 63"),
        ("s3://photos/a/../b", "without it"),
        ("s3://photos/.", "without it"),
    ],
)
def test_a_usage_error_says_what_to_write(
    url: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # `s3:/photos` is a path where there is a directory `s3:`
    with pytest.raises(UsageError) as caught:
        canonical(url)
    assert hint in (caught.value.hint or "")


def test_a_directory_may_have_a_colon_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk:photos").mkdir()
    assert canonical("disk:photos/x") == f"{tmp_path}/disk:photos/x"
    assert canonical("./new:photos") == f"{tmp_path}/new:photos"
    assert canonical("2026/a:b") == f"{tmp_path}/2026/a:b"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/a?b#c", "s3://bucket/a?b#c"),
        ("https://u:p@h/x?X-Amz-Signature=s", "https://h/x"),
        ("/plain/path", "/plain/path"),
        ("s3://u:p@bucket/k", "s3://bucket/k"),
        ("https://[broken", "https://…"),
    ],
)
def test_redacted_urls_hold_no_secret(url: str, expected: str) -> None:
    assert redact(url) == expected
