"""Which destinations overlap, and what an object of one is called at the other."""

from __future__ import annotations

import pytest

from bulkup.manifest.destinations import Destination
from bulkup.operations.destination.shared_prefix import overlapping, same_place


def destination(number: int, url: str, endpoint_url: str = "") -> Destination:
    return Destination(number, url, endpoint_url, *[None] * 8)


@pytest.mark.parametrize(
    ("ours", "other", "key", "theirs"),
    [
        ("s3://b", "s3://b/in", "in/a.jpg", "in/a.jpg"),
        ("s3://b/in", "s3://b", "in/a.jpg", "in/a.jpg"),
        ("s3://b", "s3://c", "a.jpg", None),
        ("/store", "/store/in", "in/a.jpg", "a.jpg"),
        ("/store", "/store/in", "a.jpg", None),
        ("/store/in", "/store", "a.jpg", "in/a.jpg"),
        ("/store", "/storehouse", "a.jpg", None),
        ("/store", "s3://store", "a.jpg", None),
    ],
)
def test_what_a_key_is_at_another_destination(
    ours: str, other: str, key: str, theirs: str | None
) -> None:
    overlaps = overlapping(destination(1, ours), [destination(1, ours), destination(2, other)])
    keys = [one.key(key) for one in overlaps if one.key(key) is not None]
    assert keys == ([theirs] if theirs else [])


def test_the_same_bucket_elsewhere_is_another() -> None:
    ours = destination(1, "s3://b")
    assert overlapping(ours, [destination(2, "s3://b/in", "http://elsewhere")]) == []


@pytest.mark.parametrize(
    ("ours", "other", "is_same"),
    [
        (("s3://b/p", "http://one"), ("s3://b/p", "http://other"), True),  # or so it is spelled
        (("s3://b/p", ""), ("s3://b", ""), False),
        (("s3://b/p", ""), ("s3://c/p", ""), False),
        (("/store", ""), ("/store/in", ""), False),
        (("/store", ""), ("s3://store", ""), False),
    ],
)
def test_who_may_be_the_same_destination_by_another_name(
    ours: tuple[str, str], other: tuple[str, str], is_same: bool
) -> None:
    one, two = destination(1, *ours), destination(2, *other)
    assert same_place(one, [one, two]) == ([two] if is_same else [])
