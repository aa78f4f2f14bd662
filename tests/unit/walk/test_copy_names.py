"""Which names say that the file is a copy."""

from __future__ import annotations

import pytest

from bulkup.walk.copy_names import has_copies, is_copy


@pytest.mark.parametrize(
    "name",
    [
        "copy 0.jpg",
        "IMG_1.jpg copy",
        "IMG copy.jpg",
        "IMG copy 2.jpg",
        "IMG - Copy.jpg",
        "IMG - Copy (2).jpg",
        "IMG (1).jpg",
        "IMG(12).JPG",
        "Copy of IMG.jpg",
        "IMG_copy.jpg",
        "IMG-kopie.jpg",
        "Kopie von IMG.jpg",
        "IMG - Copie.jpg",
        "IMG - copia.jpg",
    ],
)
def test_a_copy(name: str) -> None:
    assert is_copy(name)
    assert has_copies(["a.jpg", name, "b.jpg"])


@pytest.mark.parametrize(
    "name",
    ["IMG_1.jpg", "photocopy.jpg", "copyright.jpg", "Copenhagen.jpg", "(2004) Rome.jpg", "a-1.jpg"],
)
def test_no_copy(name: str) -> None:
    assert not is_copy(name)
    assert not has_copies(["a.jpg", name, "b.jpg"])
