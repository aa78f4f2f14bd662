"""Keys: the file's own path, always valid UTF-8, never another content's."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model import Digest
from bulkup.stores.keys import key_for, spare_folder_key, spare_key

DIGEST = Digest("ab" * 32)
names = st.binary(min_size=1, max_size=60).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"").replace(b"/", b"") or b"x")
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@given(paths, st.sampled_from(["", "p/", "a/ü/"]), st.sampled_from(["path", "content"]))
def test_keys_are_valid_utf8_below_the_prefix(path: str, prefix: str, layout: str) -> None:
    key = key_for(prefix, path, DIGEST, layout)  # type: ignore[arg-type]
    key.encode()
    assert key.startswith(prefix)
    assert len(key) > len(prefix)


@given(paths)
def test_a_path_that_is_utf8_is_its_own_key(path: str) -> None:
    if path.encode(errors="surrogateescape").decode(errors="replace") == path:
        assert key_for("", path, DIGEST, "path") == path


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".jpg", "ü" * 125 + ".jpg", "é" * 127, "a." + "b" * 250, "\udce9" * 250]
)
def test_a_spare_name_is_one_that_a_file_can_have(name: str) -> None:
    """At most 255 bytes, whole characters, the ending kept, also of a folder."""
    for key in (spare_key(f"sub/{name}", DIGEST), spare_folder_key(f"{name}/a", DIGEST)):
        assert key is not None
        steps = [os.fsencode(step) for step in key.split("/")]
        assert max(map(len, steps)) <= 255
        assert "~abababab" in key
    if name.endswith(".jpg"):
        spare_key(f"sub/{name}", DIGEST).encode()
        assert spare_key(f"sub/{name}", DIGEST).endswith("~abababab.jpg")


@given(paths)
def test_a_spare_key_is_another_in_the_same_folder_with_the_same_ending(path: str) -> None:
    key = key_for("", path, DIGEST, "path")
    spare = spare_key(key, DIGEST)
    assert spare != key
    assert "~abababab" in spare.rpartition("/")[2]
    assert spare.rpartition("/")[0] == key.rpartition("/")[0]
    assert spare.replace("~abababab", "", 1) == key or "~abababab" in key


def test_names_and_their_keys() -> None:
    assert key_for("p/", "caf\udce9 #1%.jpg", DIGEST, "path") == "p/caf%E9 #1%.jpg"
    assert key_for("p/", "a.zip#in/b.JPG", DIGEST, "content") == f"p/ab/ab/{DIGEST}.jpg"
    assert key_for("", "no ending", DIGEST, "content") == f"ab/ab/{DIGEST}"
    assert key_for("", ".hidden", DIGEST, "content") == f"ab/ab/{DIGEST}"
    assert spare_key("d.e/x.tar.gz", DIGEST) == "d.e/x.tar~abababab.gz"
    assert spare_key("d.e/x", DIGEST) == "d.e/x~abababab"
    assert spare_key(".bashrc", DIGEST) == ".bashrc~abababab"


def test_a_spare_key_is_no_longer_than_a_file_name_may_be() -> None:
    for name in (
        "\udce9" * 251 + ".jpg",
        "x" * 251 + ".jpg",
        "é" * 125 + ".tar",
        "写" * 85,
        "a" * 244 + ".jpeg",
    ):
        spare = spare_key(f"folder/{name}", DIGEST)
        assert spare.startswith(f"folder/{name[:60]}")
        assert len(os.fsencode(spare.removeprefix("folder/"))) <= 255
        folder = spare_folder_key(f"all/{name}/x.jpg", DIGEST, "all/")
        assert folder is not None
        assert len(os.fsencode(folder.split("/")[1])) <= 255
        assert folder.endswith("~abababab/x.jpg")
    assert spare_key("x" * 242 + ".jpg", DIGEST) == "x" * 242 + "~abababab.jpg"


def test_a_spare_key_may_be_in_another_folder_below_the_prefix() -> None:
    """Where a folder of the key is an object, at whatever depth."""
    assert spare_folder_key("d.e/f/x.jpg", DIGEST) == "d.e~abababab/f/x.jpg"
    assert spare_folder_key("all/d/x.jpg", DIGEST, "all/") == "all/d~abababab/x.jpg"
    assert spare_folder_key("all/x.jpg", DIGEST, "all/") is None
