"""What a key and its metadata say of the file that was sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.digest import digest_of
from bulkup.model import MAX_NS
from bulkup.operations.rebuild import digest_in_key, modified_ns, paths_of
from bulkup.stores.attributes import Extras, attributes_for
from bulkup.stores.keys import key_for, spare_key

DIGEST = digest_of(b"x")


@given(st.binary(), st.sampled_from(["", "photos/", "a/b/"]), st.sampled_from(["a.JPG", "a", "."]))
def test_a_key_of_layout_content_names_its_digest(body: bytes, prefix: str, name: str) -> None:
    """Whatever the prefix and the extension, under a spare name, too."""
    digest = digest_of(body)
    key = key_for(prefix, name, digest, "content")
    assert digest_in_key(key) == digest
    assert digest_in_key(spare_key(key, digest)) == digest


@pytest.mark.parametrize(
    "key", ["a.jpg", DIGEST, f"ab/cd/{DIGEST}", f"{DIGEST[:2]}/{DIGEST[2:4]}/{DIGEST}0.jpg"]
)
def test_no_other_key_does(key: str) -> None:
    assert digest_in_key(key) is None


def test_a_spare_key_stands_for_its_file_first() -> None:
    mark = DIGEST[:8]
    assert list(paths_of("sub/a.jpg", DIGEST)) == ["sub/a.jpg"]
    assert list(paths_of(f"sub/a~{mark}.jpg", DIGEST)) == ["sub/a.jpg", f"sub/a~{mark}.jpg"]
    assert next(paths_of(f"a~{mark}~{mark}.jpg", DIGEST)) == "a.jpg"
    assert list(paths_of("a~00000000.jpg", DIGEST)) == ["a~00000000.jpg"]
    assert list(paths_of(f"a~{mark}/b.jpg", DIGEST)) == ["a/b.jpg", f"a~{mark}/b.jpg"]


@given(st.integers(-MAX_NS, MAX_NS))
def test_the_mtime_comes_back_to_the_nanosecond(stamp: int) -> None:
    """Times before 1970 included."""
    metadata = attributes_for("a.jpg", stamp, "image/jpeg", Extras()).metadata
    assert modified_ns(metadata) == stamp


@pytest.mark.parametrize(
    "mtime",
    ["", "soon", "NaN", "sNaN", "1e99999999999999999999"],
)
def test_an_mtime_that_is_no_number_is_ignored(mtime: str) -> None:
    assert modified_ns({"mtime": mtime}) is None


@pytest.mark.parametrize(
    ("mtime", "stamp"),
    [
        ("13569465600", MAX_NS),  # the year 2400
        ("-11644473600", -MAX_NS),  # 1601, "no date" of NTFS
        ("1e30", MAX_NS),
        ("-1e30", -MAX_NS),
        ("1e999999", MAX_NS),
        ("Infinity", MAX_NS),
    ],
)
def test_an_mtime_beyond_64_bits_is_clamped(mtime: str, stamp: int) -> None:
    assert modified_ns({"mtime": mtime}) == stamp


def test_an_object_may_have_no_mtime() -> None:
    assert modified_ns({}) is None
