"""Files that the user lists."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ErrorClass, UsageError
from bulkup.walk import files_from as listed_module
from bulkup.walk.files_from import listed, read_paths, split_paths
from bulkup.walk.filters import JUNK, Selection
from tests.unit.content.zips import make_zip
from tests.unit.walk.trees import JPEG, grow, left_out_of, paths_of

BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
names = st.binary(min_size=1, max_size=20).filter(
    lambda name: not set(name) & {0, 10, 13} and not name.startswith(BYTE_ORDER_MARKS)
)


class TestReading:
    @given(st.lists(names), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
    def test_lines(self, raw: list[bytes], separator: bytes, ends: bool) -> None:
        data = separator.join(raw) + (separator if ends else b"")
        assert [os.fsencode(path) for path in split_paths(io.BytesIO(data))] == raw

    @given(
        st.lists(
            st.binary(min_size=1, max_size=20).filter(
                lambda name: 0 not in name and not name.startswith(BYTE_ORDER_MARKS)
            ),
            min_size=2,
        )
    )
    def test_nul_separated(self, raw: list[bytes]) -> None:
        """Then line feeds belong to the names."""
        assert [os.fsencode(p) for p in split_paths(io.BytesIO(b"\0".join(raw)))] == raw

    def test_a_byte_order_mark_is_no_part_of_the_first_path(self) -> None:
        """As Notepad and Excel write it; anywhere else it belongs to a name."""
        data = b"\xef\xbb\xbfa.jpg\n\xef\xbb\xbfb.jpg\n"
        assert list(split_paths(io.BytesIO(data))) == ["a.jpg", "\ufeffb.jpg"]

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_a_list_in_utf_16_is_refused(self, encoding: str) -> None:
        with pytest.raises(UsageError, match="UTF-16"):
            list(split_paths(io.BytesIO("\ufeffa.jpg\n".encode(encoding))))

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_list_in_utf_16_without_a_mark_is_refused(self, encoding: str, end: str) -> None:
        text = end.join(["2019/a.jpg", "Ünï/写真.jpg", "b.jpg", ""])
        with pytest.raises(UsageError, match="UTF-16"):
            list(split_paths(io.BytesIO(text.encode(encoding))))

    def test_short_names_between_nuls_are_no_utf_16(self) -> None:
        assert list(split_paths(io.BytesIO(b"a\0b\0c\0"))) == ["a", "b", "c"]
        assert list(split_paths(io.BytesIO(b"a\n\0b.jpg\0"))) == ["a\n", "b.jpg"]

    @given(st.lists(names, max_size=20), st.integers(1, 7))
    def test_blocks_do_not_matter(self, raw: list[bytes], block_bytes: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(listed_module, "_BLOCK_BYTES", block_bytes)
            assert [os.fsencode(p) for p in split_paths(io.BytesIO(b"\n".join(raw)))] == raw

    def test_nothing_is_a_comment_and_blanks_are_kept(self) -> None:
        data = io.BytesIO(b"#a.jpg\n; b.jpg\n c.jpg \n\n")
        assert list(split_paths(data)) == ["#a.jpg", "; b.jpg", " c.jpg "]

    def test_a_late_nul_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listed_module, "_BLOCK_BYTES", 4)
        with pytest.raises(UsageError, match="NUL"):
            list(split_paths(io.BytesIO(b"a\nb\nc\0d\n")))

    def test_from_a_file_and_from_standard_input(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "list").write_text("a\nb\n")
        assert list(read_paths(str(tmp_path / "list"))) == ["a", "b"]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"c\0d\0")))
        assert list(read_paths("-")) == ["c", "d"]

    def test_no_such_list(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nowhere"):
            list(read_paths(str(tmp_path / "nowhere")))


def taken(
    paths: Iterable[str],
    roots: Sequence[Path | str],
    selection: Selection | None = None,
    cwd: Path | str = "/",
) -> list[tuple[str, str]]:
    """(root, path) of the selected files."""
    found = listed(iter(paths), [str(r) for r in roots], selection or Selection(), cwd=str(cwd))
    return [(root, path) for root, one in found for path in paths_of([one])]


def out(paths: Iterable[str], root: Path, selection: Selection | None = None) -> dict[str, object]:
    found = listed(iter(paths), [str(root)], selection or Selection(), cwd="/")
    return dict(left_out_of(one for _, one in found))


class TestPlaces:
    def test_relative_to_the_root_as_in_rclone(self, tmp_path: Path) -> None:
        grow(tmp_path, "a/b.jpg", "c.jpg")
        root = str(tmp_path)
        assert taken(["a/b.jpg", "c.jpg"], [root]) == [(root, "c.jpg"), (root, "a/b.jpg")]

    def test_relative_to_the_working_directory_as_find_prints(self, tmp_path: Path) -> None:
        grow(tmp_path, "photos/a/b.jpg")
        root = str(tmp_path / "photos")
        assert taken(["photos/a/b.jpg"], [root], cwd=tmp_path) == [(root, "a/b.jpg")]
        assert taken(["./a/b.jpg"], [root], cwd=root) == [(root, "a/b.jpg")]

    def test_the_root_wins_where_both_exist(self, tmp_path: Path) -> None:
        grow(tmp_path, "r/r/a.jpg", "r/a.jpg")
        root = str(tmp_path / "r")
        assert taken(["r/a.jpg"], [root], cwd=tmp_path) == [(root, "r/a.jpg")]

    def test_several_and_nested_roots(self, tmp_path: Path) -> None:
        grow(tmp_path, "x/a.jpg", "y/b.jpg", "x/in/c.jpg")
        roots = [str(tmp_path / name) for name in ("x", "y", "x/in")]
        paths = [str(tmp_path / name) for name in ("x/a.jpg", "y/b.jpg", "x/in/c.jpg")]
        expected = list(zip(roots, ["a.jpg", "b.jpg", "c.jpg"], strict=True))
        assert taken(paths, roots) == expected

    def test_outside_all_roots(self, tmp_path: Path) -> None:
        grow(tmp_path, "x/a.jpg", "xy/b.jpg")
        for path in (str(tmp_path / "xy" / "b.jpg"), "/etc/passwd", "../xy/b.jpg"):
            with pytest.raises(UsageError, match="none of the given"):
                taken([path], [tmp_path / "x"])

    def test_the_root_of_the_file_system(self, tmp_path: Path) -> None:
        grow(tmp_path, "a.jpg")
        path = str(tmp_path / "a.jpg")
        assert taken([path], ["/"]) == [("/", path[1:])]

    def test_a_file_as_root(self, tmp_path: Path) -> None:
        grow(tmp_path, "a.jpg")
        root = str(tmp_path / "a.jpg")
        assert taken([root], [root]) == [(root, "a.jpg")]


class TestJudging:
    def test_named_files_may_be_hidden_and_of_any_kind(self, tmp_path: Path) -> None:
        grow(tmp_path, ".a.txt", "b.jpg", "ignored.jpg")
        (tmp_path / ".bulkupignore").write_text("ignored.jpg")
        found = [p for _, p in taken([".a.txt", "b.jpg", "ignored.jpg"], [tmp_path])]
        assert found == [".a.txt", "b.jpg", "ignored.jpg"]

    def test_junk_and_filters_stay_out(self, tmp_path: Path) -> None:
        grow(tmp_path, "Thumbs.db", "a.jpg", "b.png")
        selection = Selection(exclude=("*.png",))
        found = out(["Thumbs.db", "a.jpg", "b.png"], tmp_path, selection)
        assert found == {"Thumbs.db": (JUNK, None), "b.png": ("--exclude", None)}

    def test_missing_files_and_folders(self, tmp_path: Path) -> None:
        """`find` prints folders too; they are passed over without an error."""
        grow(tmp_path, "a/b.jpg")
        too_long = f"{'x' * 300}.jpg"
        found = out([".", "a", "a/b.jpg", "gone.jpg", "a/gone.jpg", too_long], tmp_path)
        assert found == {
            too_long: ("File name too long", ErrorClass.MISSING),
            "./": ("folder: only files can be listed", None),
            "a": ("folder: only files can be listed", None),
            "gone.jpg": ("No such file or directory", ErrorClass.MISSING),
            "a/gone.jpg": ("No such file or directory", ErrorClass.MISSING),
        }

    def test_links_are_followed(self, tmp_path: Path) -> None:
        grow(tmp_path, "a.jpg")
        os.symlink("a.jpg", tmp_path / "link.jpg")
        assert len(taken(["a.jpg", "link.jpg"], [tmp_path])) == 2

    def test_odd_names(self, tmp_path: Path) -> None:
        raw = [b"a\xff.jpg", b"b\n.jpg", b"#c.jpg", b"d.zip#e.jpg", b" f .jpg"]
        grow(tmp_path, *raw)
        found = taken(split_paths(io.BytesIO(b"\0".join(raw) + b"\0")), [tmp_path])
        assert sorted(os.fsencode(path) for _, path in found) == sorted(raw)

    def test_listings_are_of_one_folder_and_not_exhaustive(self, tmp_path: Path) -> None:
        grow(tmp_path, "a/1.jpg", "b/1.jpg", "a/2.jpg")
        paths = ["a/2.jpg", "b/1.jpg", "a/1.jpg", "a/1.jpg"]
        found = [one for _, one in listed(iter(paths), [str(tmp_path)], Selection(), cwd="/")]
        assert [(one.folder, [row[0] for row in one.files]) for one in found] == [
            ("a/", ["1.jpg", "2.jpg"]),
            ("b/", ["1.jpg"]),
        ]
        assert not any(one.is_exhaustive for one in found)

    def test_windows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A long list is never held as a whole, and nothing is lost between its windows."""
        monkeypatch.setattr(listed_module, "_WINDOW_PATHS", 3)
        monkeypatch.setattr(listed_module, "CHUNK_NAMES", 2)
        paths = [f"{number % 2}/{number}.jpg" for number in range(10)]
        grow(tmp_path, *paths)
        assert sorted(path for _, path in taken(paths, [tmp_path])) == sorted(paths)


class TestArchives:
    def test_an_archive_stands_for_its_members(self, tmp_path: Path) -> None:
        make_zip(tmp_path / "a.zip", ("one.jpg", JPEG), ("two.jpg", JPEG))
        assert [p for _, p in taken(["a.zip"], [tmp_path])] == ["a.zip#one.jpg", "a.zip#two.jpg"]
        everything = Selection(all_files=True)
        assert [p for _, p in taken(["a.zip"], [tmp_path], everything)] == ["a.zip"]

    @pytest.mark.parametrize("root", ["", "s", "s/a.zip"])
    def test_single_members(self, tmp_path: Path, root: str) -> None:
        grow(tmp_path, "s/")
        make_zip(tmp_path / "s" / "a.zip", ("x/one.jpg", JPEG), ("two.jpg", JPEG))
        found = taken([str(tmp_path / "s" / "a.zip#x/one.jpg")], [tmp_path / root])
        assert [path.removeprefix("s/") for _, path in found] == ["a.zip#x/one.jpg"]

    def test_absent_members_and_broken_archives(self, tmp_path: Path) -> None:
        make_zip(tmp_path / "a.zip", ("one.jpg", JPEG))
        grow(tmp_path, "bad.zip")
        found = out(["a.zip#two.jpg", "bad.zip#one.jpg", "none.zip#one.jpg"], tmp_path)
        classes = {path: error for path, (_, error) in found.items()}  # type: ignore[misc]
        assert classes == {
            "a.zip#two.jpg": ErrorClass.MISSING,
            "bad.zip": ErrorClass.INVALID,
            "none.zip#one.jpg": ErrorClass.MISSING,
        }
