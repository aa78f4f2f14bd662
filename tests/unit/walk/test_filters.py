"""The rules: what is left out, and why."""

from __future__ import annotations

import pytest

from bulkup.errors import UsageError
from bulkup.walk.filters import (
    EXCLUDED,
    HIDDEN,
    JUNK,
    NO_IGNORES,
    NO_MEDIA,
    NOT_INCLUDED,
    Rules,
    Selection,
    why_junk,
)


def why(path: str, size_bytes: int = 1, seconds: float = 0, **options: object) -> str | None:
    rules = Rules(Selection(**options))  # type: ignore[arg-type]
    name = path[path.rfind("/") + 1 :]
    reason = rules.why_not_above(path) or rules.why_not_name(name) or rules.why_filtered(path)
    if reason is None and rules.is_wanted_kind(name) is False:
        reason = NO_MEDIA
    return reason or rules.why_not_stat(size_bytes, round(seconds * 1e9))


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        "Thumbs.db",
        "THUMBS.DB",
        "ehthumbs.db",
        "desktop.ini",
        "._IMG_1.jpg",
        "@eaDir",
        ".Spotlight-V100",
        ".Trashes",
        ".Trash-1000",
        ".fseventsd",
        "$RECYCLE.BIN",
        "System Volume Information",
        "#recycle",
        "movie.mp4.part",
        "photo.jpg.crdownload",
        "photo.jpg~",
        ".bulkupignore",
        "__MACOSX",
        ".picasa.ini",
        ".nomedia",
        "Icon\r",
    ],
)
def test_junk_is_left_out_whatever_is_asked_for(name: str) -> None:
    assert why(name, all_files=True, hidden=True) == JUNK


@pytest.mark.parametrize("name", ["a.jpg", "part.jpg", "#recycle.jpg", "thumbs.jpg", "a~.jpg"])
def test_pictures_are_no_junk(name: str) -> None:
    assert why_junk(name) is None
    assert why(name) is None


@pytest.mark.parametrize("folder", ["@eaDir", "__MACOSX", ".Trashes"])
def test_below_junk_all_is_junk(folder: str) -> None:
    assert why(f"a/{folder}/b/c.jpg", all_files=True, hidden=True) == JUNK


def test_hidden() -> None:
    assert why(".a.jpg") == HIDDEN
    assert why(".album/a.jpg") == HIDDEN
    assert why(".a.jpg", hidden=True) is None
    assert why(".album/a.jpg", hidden=True) is None


def test_kind() -> None:
    assert why("a.txt") == NO_MEDIA
    assert why("a.txt", all_files=True) is None
    assert why("a.jpg.xmp") is None, "sidecars belong to their pictures"
    assert why("a.fuzzed") is None, "only its bytes can tell"
    assert Rules(Selection()).is_wanted_kind("a.fuzzed") is None


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (("*.png",), "a/b.png", EXCLUDED),
        (("*.png",), "a/b.jpg", None),
        (("/b.png",), "a/b.png", None),
        (("/b.png",), "b.png", EXCLUDED),
        (("a/",), "x/a/b.png", EXCLUDED),
        (("*.png", "!keep.png"), "keep.png", None),
        (("!keep.png", "*.png"), "keep.png", EXCLUDED),
        (("a/**/z.jpg",), "a/b/c/z.jpg", EXCLUDED),
        (("#not a comment",), "a.jpg", None),
    ],
)
def test_exclude_is_gitignore(patterns: tuple[str, ...], path: str, expected: str | None) -> None:
    assert why(path, exclude=patterns) == expected


def test_include_and_exclude() -> None:
    assert why("a/b.jpg", include=("*.jpg",)) is None
    assert why("a/b.png", include=("*.jpg", "c/")) == NOT_INCLUDED
    assert why("c/b.png", include=("*.jpg", "c/")) is None
    assert why("a/b.jpg", include=("*.jpg",), exclude=("a/",)) == EXCLUDED
    assert why("a.txt", include=("*.txt",)) == NO_MEDIA, "a filter, not a choice of kinds"


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(UsageError, match=r"--exclude.*'!'"):
        Rules(Selection(exclude=("!",)))


def test_sizes_are_inclusive() -> None:
    assert why("a.jpg", 10, min_size_bytes=10, max_size_bytes=10) is None
    assert why("a.jpg", 9, min_size_bytes=10) == "smaller than 10 bytes"
    assert why("a.jpg", 11, max_size_bytes=10) == "larger than 10 bytes"


def test_dates_part_the_files_in_two() -> None:
    """The same moment as both bounds: every file falls under exactly one of them."""
    for seconds in (99.999, 100, 100.001):
        newer = why("a.jpg", seconds=seconds, newer_than=100.0)
        older = why("a.jpg", seconds=seconds, older_than=100.0)
        assert (newer is None) != (older is None)
        assert (newer is None) == (seconds >= 100)


class TestIgnores:
    def test_deeper_files_win(self) -> None:
        ignores = NO_IGNORES.with_file("", "*.jpg\n").with_file("a/", "!keep.jpg\n")
        assert ignores.why_not("b.jpg") == ".bulkupignore"
        assert ignores.why_not("a/b.jpg") == ".bulkupignore"
        assert ignores.why_not("a/keep.jpg") is None

    def test_patterns_are_relative_to_their_folder(self) -> None:
        ignores = NO_IGNORES.with_file("a/", "/b.jpg\nc/\n")
        assert ignores.why_not("a/b.jpg") == "a/.bulkupignore"
        assert ignores.why_not("a/x/b.jpg") is None
        assert ignores.why_not("a/x/c/") == "a/.bulkupignore"
        assert ignores.why_not("a/c") is None, "a slash at the end means folders"

    def test_comments_and_blanks_say_nothing(self) -> None:
        assert NO_IGNORES.with_file("", "# *.jpg\n\n  \n").why_not("a.jpg") is None

    def test_excluded_folders(self) -> None:
        rules = Rules(Selection(exclude=("old/",)))
        ignores = NO_IGNORES.with_file("", "raw/\n")
        assert rules.why_not_folder("a/old/", NO_IGNORES) == EXCLUDED
        assert rules.why_not_folder("a/raw/", ignores) == ".bulkupignore"
        assert rules.why_not_folder("a/.git/", NO_IGNORES) == HIDDEN
        assert rules.why_not_folder("a/@eaDir/", NO_IGNORES) == JUNK
        assert rules.why_not_folder("a/new/", ignores) is None
