"""What proves an object, and which ones a sample reads."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.digest import composite, digest_of
from bulkup.errors import UsageError
from bulkup.manifest.verification import StoredObject
from bulkup.model import Digest, ObjectInfo
from bulkup.operations.checks.objects import (
    Mismatch,
    check_head,
    check_size,
    is_as_listed,
    parse_sample,
    sample,
)

OURS, OTHER = digest_of(b"ours"), digest_of(b"other")
PARTS = [digest_of(b"1"), digest_of(b"2")]
RECORDED = StoredObject("k", 1, OURS, 4, '"etag"', None, 1.0)
IN_PARTS = RECORDED._replace(etag='"etag-2"', checksum=composite(PARTS))
INFO = ObjectInfo("k", 4)


def base64(digest: Digest) -> str:
    return b64encode(bytes.fromhex(digest)).decode()


@pytest.mark.parametrize(
    ("recorded", "info", "proven"),
    [
        (RECORDED, replace(INFO, etag='"etag"'), True),
        (RECORDED, replace(INFO, etag="etag"), True),  # some listings leave the quotes out
        (RECORDED, replace(INFO, etag='"another"'), False),
        (RECORDED, replace(INFO, etag='"etag"', size_bytes=3), False),
        (RECORDED, INFO, False),
        (RECORDED._replace(etag=None), replace(INFO, etag='"etag"'), False),
        (RECORDED._replace(etag=None), INFO, False),  # a directory: no ETags at all
    ],
)
def test_a_listing_proves_by_size_and_etag_only(
    recorded: StoredObject, info: ObjectInfo, proven: bool
) -> None:
    assert is_as_listed(recorded, info) is proven


@pytest.mark.parametrize(
    ("info", "answer"),
    [
        (INFO, "undecided"),
        (replace(INFO, etag='"etag"'), None),
        (replace(INFO, etag='"another"'), "undecided"),
        (replace(INFO, etag='"another"', digest=OURS), None),
        (replace(INFO, etag='"another"', digest=OTHER), "different"),
        # what the store computed itself wins over what somebody wrote beside it
        (replace(INFO, checksum=base64(OTHER), digest=OURS), "different"),
        (replace(INFO, checksum=base64(OTHER), etag='"etag"'), "different"),
        (replace(INFO, checksum=base64(OURS), digest=OTHER), None),
        (replace(INFO, checksum="no base64"), "undecided"),
    ],
)
def test_what_a_head_says(info: ObjectInfo, answer: str | None) -> None:
    found = check_head(RECORDED, info)
    assert (found.finding if isinstance(found, Mismatch) else found) == answer


@pytest.mark.parametrize(
    ("info", "answer"),
    [
        (replace(INFO, etag='"x-2"', checksum=composite(PARTS)), None),
        (replace(INFO, etag='"x-2"', checksum=composite(PARTS).partition("-")[0]), None),
        (replace(INFO, etag='"x-2"', checksum=composite(PARTS[::-1])), "different"),
        # cut in another way: that says nothing about the bytes
        (replace(INFO, etag='"x-3"', checksum=composite([*PARTS, OURS])), "undecided"),
        (replace(INFO, etag='"x-3"', checksum=composite([*PARTS, OURS]), digest=OURS), None),
        # copied on the server in one piece: then the endpoint knows the whole digest
        (replace(INFO, etag='"x"', checksum=base64(OURS)), None),
        (replace(INFO, etag='"x"', checksum=base64(OTHER)), "different"),
        (replace(INFO, etag='"etag-2"'), None),
    ],
)
def test_objects_in_parts_are_known_by_their_composite(
    info: ObjectInfo, answer: str | None
) -> None:
    found = check_head(IN_PARTS, info)
    assert (found.finding if isinstance(found, Mismatch) else found) == answer


def test_less_is_short_and_more_is_different() -> None:
    found = [check_size(RECORDED, size) for size in (0, 3, 4, 5)]
    assert [mismatch and mismatch.finding for mismatch in found] == [
        "short",
        "short",
        None,
        "different",
    ]


@given(total=st.integers(0, 200), wanted=st.integers(0, 300), seed=st.integers(0, 2**32))
def test_a_sample_has_the_size_wanted(total: int, wanted: int, seed: int) -> None:
    """Exactly, or all there are; the same for the same seed; nothing beyond the total."""
    chosen = list(islice(sample(total, wanted, Random(seed)), total + 50))
    assert sum(chosen) == min(total, wanted)
    assert not any(chosen[total:])
    assert chosen == list(islice(sample(total, wanted, Random(seed)), total + 50))


def test_every_object_has_the_same_chance() -> None:
    times = [0] * 10
    for seed in range(2000):
        for at, chosen in enumerate(islice(sample(10, 3, Random(seed)), 10)):
            times[at] += chosen
    assert all(500 < count < 700 for count in times), times


def test_samples_as_people_write_them() -> None:
    """A share is rounded up: 1 % of a few is one."""
    assert sum(islice(parse_sample("7", 1).sample(20), 20)) == 7
    assert sum(islice(parse_sample("1%", 1).sample(20), 20)) == 1
    assert sum(islice(parse_sample("12.5%", 1).sample(16), 16)) == 2
    assert all(islice(parse_sample("100%", 1).sample(5), 5))
    assert not any(islice(parse_sample("0%", 1).sample(5), 5))
    for text in ("", "-1", "101%", "ten", "5 %%"):
        with pytest.raises(UsageError):
            parse_sample(text, 1)
