"""Which folders and archives hold parts of one export."""

from __future__ import annotations

import pytest

from bulkup.content.takeout.parts import parts_of_one

A, B, OTHER_A = {("Rome/", "a.jpg"): 1}, {("Rome/", "b.jpg"): 2}, {("Rome/", "a.jpg"): 3}


@pytest.mark.parametrize(
    "exports",
    [
        ("/d/part-1.zip#", "/d/part-2.tgz#"),
        ("/d/one/", "/d/two/"),
        ("/d/", "/d/rest.zip#"),
        ("/d/", "/d/Takeout 2/", "/d/Takeout (3)/"),
        ("/d/", "/d/rest.zip#inner/", "/d/third/"),
    ],
)
def test_neighbours_are_one_export(exports: tuple[str, ...]) -> None:
    files = (A, B, {**A, **B})
    found = parts_of_one(dict(zip(exports, files, strict=False)))
    assert [set(names) for names in found] == [set(exports)]


@pytest.mark.parametrize(
    "exports",
    [
        ("/d/part-1.zip#", "/e/part-2.zip#"),
        ("/d/one/", "/d/one/two/three/"),
        ("/d", "/d/rest.zip#"),
        ("takeout-20240131t101112z", "takeout-20250131t101112z"),
    ],
)
def test_others_are_not(exports: tuple[str, str]) -> None:
    found = parts_of_one(dict(zip(exports, (A, B), strict=True)))
    assert sorted(found) == [[one] for one in exports]


def test_exports_with_different_files_in_one_place_are_two() -> None:
    """Those of two persons; a third part is one of the first that it agrees with."""
    unpacked = {"/d/": A, "/d/Takeout 2/": OTHER_A}
    assert list(parts_of_one(unpacked)) == [["/d/"], ["/d/Takeout 2/"]]
    exports = {"/d/ann/": A, "/d/bob/": OTHER_A, "/d/bob 2/": {**B, **OTHER_A}}
    assert list(parts_of_one(exports)) == [["/d/ann/"], ["/d/bob 2/", "/d/bob/"]]
