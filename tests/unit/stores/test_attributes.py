"""What objects carry beside their bytes, and which metadata names are possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulkup.errors import UsageError
from bulkup.stores.attributes import Extras, attributes_for
from tests.fakes.s3_server import FakeS3
from tests.faults.pushing import Pushing
from tests.servers.endpoint import Endpoint


def test_name_and_modification_time_have_the_form_that_rclone_uses() -> None:
    extras = Extras(metadata={"owner": "me", "mtime": "0"}, cache_control="no-cache")
    found = attributes_for("d/caf\udce9.jpg", 1_500_000_000_000_000_007, "image/jpeg", extras)
    assert found.metadata == {
        "owner": "me",
        "name": "caf%E9.jpg",
        "mtime": "1500000000.000000007",
    }
    assert (found.content_type, found.cache_control) == ("image/jpeg", "no-cache")


@pytest.mark.parametrize(
    ("modified_ns", "mtime"),
    [
        (0, "0.000000000"),
        (7, "0.000000007"),
        (-1_500_000_000, "-1.500000000"),
        (-1, "-0.000000001"),
        ((1 << 63) - 1, "9223372036.854775807"),
    ],
)
def test_a_modification_time_has_seconds_and_nine_digits(modified_ns: int, mtime: str) -> None:
    assert attributes_for("x", modified_ns, "a/b", Extras()).metadata["mtime"] == mtime


async def test_metadata_is_stored_and_an_upper_case_name_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Extras(metadata={"Owner": "x"})
    assert "--metadata owner=" in (caught.value.hint or "")
    with FakeS3(keep_bodies=True) as server:
        pushing = Pushing(tmp_path, "s3://bucket", Endpoint(server.url).environment)
        pushing.write({f"{n}.jpg": b"%d" % n for n in range(4)})
        summary = await pushing.push(metadata={"owner": "x"})
        assert (summary.exit_code, summary.sent) == (0, 4)
        puts = [seen for seen in server.seen if seen.op == "PutObject"]
        assert {seen.headers["x-amz-meta-owner"] for seen in puts} == {"x"}


@pytest.mark.parametrize("name", ["", "no token", "naïve", "a:b", "sha256", "SHA256"])
def test_a_name_that_no_header_can_have_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="metadata name"):
        Extras(metadata={name: "x"})


@pytest.mark.parametrize(
    ("extras", "words"),
    [
        ({"cache_control": "max-age=9\n"}, "--cache-control contains a line break"),
        ({"cache_control": "no\x00store"}, "--cache-control contains"),
        ({"cache_control": "für immer"}, "not ASCII"),
        ({"storage_class": "STANDARD IA"}, "--storage-class 'STANDARD IA'"),
        ({"storage_class": "GLACIER\n"}, "--storage-class"),
        ({"metadata": {"note": "x" * 2048}}, "--metadata holds 2,052 bytes"),
        ({"tags": {f"t{n}": "" for n in range(11)}}, "11 tags"),
        ({"tags": {"": "x"}}, "1 to 128"),
        ({"tags": {"t" * 129: "x"}}, "1 to 128"),
        ({"tags": {"t": "v" * 257}}, "256"),
        ({"tags": {"t": "a\tb"}}, "--tag t contains"),
        ({"tags": {"AWS:x": "y"}}, "reserved"),
    ],
)
def test_what_no_object_can_carry_is_a_usage_error(extras: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        Extras(**extras)
    assert words in str(refused.value)


def test_what_objects_can_carry_is_taken() -> None:
    Extras(
        "public, max-age=31536000, immutable",
        "X-STD.IA_2",
        {"note": "two\nlines", "x": "y" * 2000},
        {**{f"t{n}": "" for n in range(9)}, "t" * 128: "ü" * 256},
    )


async def test_such_a_name_ends_a_push_before_anything_is_recorded(tmp_path: Path) -> None:
    pushing = Pushing(tmp_path, str(tmp_path / "to"))
    pushing.write({"a.jpg": b"a"})
    with pytest.raises(UsageError):
        await pushing.push(metadata={"no token": "x"})
    assert not (tmp_path / "to").exists()
