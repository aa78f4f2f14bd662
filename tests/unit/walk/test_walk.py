"""The walk over real trees: what it finds, in which order, and what it reports as left out."""

from __future__ import annotations

import gc
import os
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkup.content.archive import open_member
from bulkup.errors import ErrorClass, UsageError
from bulkup.walk import archive_members as members_module
from bulkup.walk import folder_files as files_module
from bulkup.walk import listing as listing_module
from bulkup.walk import walk as walk_module
from bulkup.walk.filters import HIDDEN, JUNK, NO_MEDIA, Selection
from bulkup.walk.folder_files import SYMLINK
from bulkup.walk.listing import FolderListing, in_order
from bulkup.walk.roots import anchor, check_root
from bulkup.walk.walk import walk
from tests.unit.content.zips import make_zip, patch_central
from tests.unit.walk.trees import JPEG, all_paths, by_folder, grow, left_out_of, paths_of

ALL = Selection(all_files=True, hidden=True)
FOLLOW = Selection(follow_symlinks=True)


def found(root: str, selection: Selection | None = None) -> list[str]:
    return paths_of(walk(root, selection or Selection()))


class TestOrderAndContent:
    def test_files_before_subfolders_depth_first_by_bytes(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "b.jpg", "a/z.jpg", "a/b/c.jpg", "B.jpg", "a-b/d.jpg", "é.jpg")
        expected = ["B.jpg", "b.jpg", "é.jpg", "a/z.jpg", "a/b/c.jpg", "a-b/d.jpg"]
        assert found(root) == expected

    def test_files_that_are_named_as_copies_come_after_subfolders(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "copy 0.jpg", "a/b.jpg", "a/c/d.jpg", "a/e.zip", "z/f.jpg")
        assert found(root) == ["a/b.jpg", "a/c/d.jpg", "z/f.jpg", "copy 0.jpg"]

    def test_what_comes_into_a_folder_while_its_subfolders_are_walked_is_listed(
        self, tmp_path: Path
    ) -> None:
        root = grow(tmp_path, "a/b.jpg", "c (1).jpg")
        listings = walk(root, Selection())
        first = next(listings)
        (tmp_path / "c (1).jpg").unlink()
        grow(tmp_path, "d.jpg")
        assert paths_of([first, *listings]) == ["a/b.jpg", "d.jpg"]

    def test_a_folder_that_goes_away_while_its_subfolders_are_walked(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b/c.jpg", "a/d copy.jpg", "e.jpg")
        listings = walk(root, Selection())
        first = [next(listings), next(listings)]
        (tmp_path / "a").rename(tmp_path.parent / f"{tmp_path.name} elsewhere")
        rest = list(listings)
        assert paths_of([*first, *rest]) == ["e.jpg", "a/b/c.jpg"]
        assert left_out_of(rest)["a/"][1] is ErrorClass.MISSING

    def test_every_folder_has_a_listing(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b/c/d.jpg", "e/")
        assert list(by_folder(walk(root, Selection()))) == ["", "a/", "a/b/", "a/b/c/", "e/"]

    def test_rows_are_what_stat_says(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg")
        os.utime(tmp_path / "a" / "b.jpg", ns=(1, 1_600_000_000_123_456_789))
        *_, listing = walk(root, Selection())
        stat = os.stat(tmp_path / "a" / "b.jpg")
        expected = ("b.jpg", len(JPEG), 1_600_000_000_123_456_789, stat.st_ino, stat.st_ctime_ns)
        assert listing.files == [expected]

    @given(
        st.sets(
            st.lists(
                st.binary(min_size=1, max_size=6).filter(
                    lambda b: not {0, 47} & set(b) and b not in (b".", b"..", b".bulkupignore")
                ),
                min_size=1,
                max_size=3,
            ).map(b"/".join),
            max_size=12,
        ),
        st.integers(1, 4),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_any_tree_balances(
        self, tmp_path_factory: pytest.TempPathFactory, paths: set[bytes], chunk_names: int
    ) -> None:
        """Every file is selected or left out, once; chunks tile the names of their folder."""
        root = tmp_path_factory.mktemp("tree")
        for path in sorted(paths):
            try:
                grow(root, path)
            except (NotADirectoryError, IsADirectoryError, FileExistsError):
                continue  # a file stands where a folder should be
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(walk_module, "CHUNK_NAMES", chunk_names)
            listings = list(walk(str(root), ALL))
            assert list(walk(str(root), ALL)) == listings, "the order is stable"
        files, left_out = paths_of(listings), left_out_of(listings)
        assert len(files) == len(set(files))
        junk = tuple(path for path in left_out if path.endswith("/"))
        rest = [p for p in all_paths(str(root)) if not p.startswith(junk or ("\0",))]
        assert sorted([*files, *(p for p in left_out if not p.endswith("/"))]) == sorted(rest)
        for chunks in by_folder(listings).values():
            check_tiling(chunks)

    def test_order_of_names_is_that_of_a_database(self) -> None:
        """UTF-8 first, then the rest, both by bytes, also beyond the surrogates."""
        raw = [b"z", b"\xff", b"a\x80", "\U0001f600".encode(), "\uffee".encode(), b"a", b"Z"]
        expected = [b"Z", b"a", b"z", "\uffee".encode(), "\U0001f600".encode(), b"a\x80", b"\xff"]
        assert [os.fsencode(n) for n in in_order([os.fsdecode(n) for n in raw])] == expected


def check_tiling(chunks: list[FolderListing]) -> None:
    assert chunks[0].after is None
    assert chunks[-1].upto is None
    assert [c.upto for c in chunks[:-1]] == [c.after for c in chunks[1:]]
    for chunk in chunks:
        names = in_order([name for name in chunk.present if not name.endswith("/")])
        bounds = [n for n in (chunk.after, *names, chunk.upto) if n is not None]
        assert in_order(list(dict.fromkeys(bounds))) == list(dict.fromkeys(bounds))
        assert chunk.after not in names


class TestChunks:
    @pytest.mark.parametrize(("count", "chunks"), [(0, 1), (1999, 1), (2000, 1), (2001, 2)])
    def test_at_most_2000_names(self, tmp_path: Path, count: int, chunks: int) -> None:
        grow(tmp_path, "a/")
        for number in range(count):
            os.mknod(tmp_path / "a" / f"{number:05}.jpg")
        listings = by_folder(walk(str(tmp_path), Selection()))["a/"]
        assert len(listings) == chunks
        assert sum(len(one.files) for one in listings) == count
        check_tiling(listings)

    def test_present_has_what_a_filter_leaves_out(self, tmp_path: Path) -> None:
        """So that a file that is filtered now is not taken for gone."""
        root = grow(tmp_path, "a.jpg", "b.png", "c.txt", ".d.jpg", "e/f.jpg", ".g/h.jpg")
        make_zip(tmp_path / "i.zip", ("j.jpg", JPEG))
        listing = next(iter(walk(root, Selection(exclude=("*.png",)))))
        expected = {"a.jpg", "b.png", "c.txt", ".d.jpg", ".g/", "i.zip"}
        assert listing.present == expected
        assert listing.unseen == [".g/"]

    def test_memory_does_not_grow_with_the_tree(self, tmp_path: Path) -> None:
        """Forty times the folders, hardly more memory."""
        for folder in range(40):
            grow(tmp_path, f"{folder}/")
            for number in range(200):
                os.mknod(tmp_path / str(folder) / f"{number}.jpg")

        def peak(root: Path) -> int:
            gc.collect()
            tracemalloc.start()
            for _ in walk(str(root), Selection()):
                pass
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        peak(tmp_path / "0")  # imports and caches
        assert peak(tmp_path) < 3 * peak(tmp_path / "0") + 100_000


class TestRules:
    def test_by_default_pictures_videos_and_sidecars(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a.jpg", "a.JPG", "a.Jpg", "a.jpg.xmp", "a.txt", "a.mov", "jpg")
        assert found(root) == ["a.JPG", "a.Jpg", "a.jpg", "a.jpg.xmp", "a.mov", "jpg"]
        assert left_out_of(walk(root, Selection())) == {"a.txt": (NO_MEDIA, None)}

    def test_unknown_names_are_judged_by_their_bytes(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "photo", "photo.fuzzed")
        grow(tmp_path, "text", "text.fuzzed", "empty.fuzzed", data=b"no picture")
        assert found(root) == ["photo", "photo.fuzzed"]

    def test_a_picture_by_name_is_one_whatever_it_holds(self, tmp_path: Path) -> None:
        assert found(grow(tmp_path, "a.jpg", data=b"no picture")) == ["a.jpg"]

    def test_known_names_are_not_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = grow(tmp_path, "a.jpg", "a.txt", "a.MOV")
        monkeypatch.setattr(files_module, "is_media_head", lambda _: pytest.fail("was read"))
        assert found(root) == ["a.MOV", "a.jpg"]

    def test_hidden_and_junk(self, tmp_path: Path) -> None:
        root = grow(tmp_path, ".a.jpg", ".b/c.jpg", "@eaDir/d.jpg", "._e.jpg", ".bulkupignore")
        (tmp_path / ".bulkupignore").write_text("")
        reasons = {path: why for path, (why, _) in left_out_of(walk(root, Selection())).items()}
        expected = {".a.jpg": HIDDEN, ".b/": HIDDEN, "@eaDir/": JUNK, "._e.jpg": JUNK}
        assert reasons == {**expected, ".bulkupignore": JUNK}
        assert found(root, Selection(hidden=True)) == [".a.jpg", ".b/c.jpg"]
        assert found(root, ALL) == [".a.jpg", ".b/c.jpg"]

    def test_ignore_files(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a.png", "b.jpg", "c/a.png", "c/keep.png", "d/e.jpg", "c/d/f.jpg")
        (tmp_path / ".bulkupignore").write_text("*.png\n/d/\n")
        (tmp_path / "c" / ".bulkupignore").write_text("\ufeff!keep.png\r\n")
        assert found(root) == ["b.jpg", "c/keep.png", "c/d/f.jpg"]

    def test_an_ignore_file_in_utf_16_counts(self, tmp_path: Path) -> None:
        """As Notepad and PowerShell write it: else what is private would be sent."""
        root = grow(tmp_path, "a.jpg", "private/b.jpg", "é.jpg")
        for encoding in ("utf-16", "utf-16-be"):
            mark = "" if encoding == "utf-16" else "\ufeff"
            text = f"{mark}/private/\r\né.jpg\r\n"
            (tmp_path / ".bulkupignore").write_bytes(text.encode(encoding))
            assert found(root) == ["a.jpg"]

    def test_an_ignore_file_matches_names_that_are_no_utf8(self, tmp_path: Path) -> None:
        root = grow(tmp_path, b"caf\xe9.jpg", "b.jpg")
        (tmp_path / ".bulkupignore").write_bytes(b"caf\xe9.jpg\n")
        assert found(root) == ["b.jpg"]

    def test_a_bad_ignore_file_leaves_out_its_folder(self, tmp_path: Path) -> None:
        """Rather nothing than what should have been ignored; the rest goes on."""
        root = grow(tmp_path, "a/b.jpg", "c.jpg", "d/e.jpg")
        (tmp_path / "a" / ".bulkupignore").write_text("!\n")
        listings = list(walk(root, Selection()))
        assert paths_of(listings) == ["c.jpg", "d/e.jpg"]
        assert left_out_of(listings)["a/"][1] is ErrorClass.INVALID
        assert by_folder(listings)["a/"][0].unseen == ["a/"]

    def test_an_ignore_file_that_is_none(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg", "c/d.jpg")
        os.mkfifo(tmp_path / "a" / ".bulkupignore")
        os.symlink("nowhere", tmp_path / "c" / ".bulkupignore")
        assert found(root) == ["a/b.jpg", "c/d.jpg"]

    def test_filters(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg", "a/b.png", "c/b.jpg")
        assert found(root, Selection(include=("*.jpg",), exclude=("c/",))) == ["a/b.jpg"]
        assert found(root, Selection(min_size_bytes=len(JPEG) + 1)) == []
        os.utime(tmp_path / "c" / "b.jpg", (100, 100))
        assert found(root, Selection(older_than=101)) == ["c/b.jpg"]

    @given(st.sets(st.sampled_from(["a.jpg", "b.JPG", "c.txt", ".d.jpg", "e", "._f.jpg"])))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_the_short_way_decides_as_the_long_one(
        self, tmp_path_factory: pytest.TempPathFactory, names: set[str]
    ) -> None:
        """A filter that lets everything pass takes the slow path."""
        root = grow(tmp_path_factory.mktemp("tree"), *names)
        quick = list(walk(root, Selection()))
        assert quick == list(walk(root, Selection(min_size_bytes=0)))


class TestOddThings:
    def test_odd_names_survive(self, tmp_path: Path) -> None:
        names = [
            b"-rf.jpg",
            b"a#b.jpg",
            b"a%20b.jpg",
            b"a+b c.jpg",
            b"line\nbreak\x1b[31m.jpg",
            b"bad\xff\xfe.jpg",
            "cafe\u0301.jpg".encode(),
            "caf\xe9.jpg".encode(),
            b"n" * 251 + b".jpg",
            "\U0001f4f7 \u202e.jpg".encode(),
        ]
        root = grow(tmp_path, *names, b"d\xff/e.jpg")
        assert sorted(os.fsencode(path) for path in found(root)) == sorted([*names, b"d\xff/e.jpg"])

    def test_fifos_sockets_and_devices_are_left_out(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a.jpg")
        os.mkfifo(tmp_path / "fifo.jpg")
        os.mkfifo(tmp_path / "fifo")
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(tmp_path)  # a socket's address is short
            server.bind("socket.jpg")
            os.chdir(here)
            listings = list(walk(root, Selection()))
        assert paths_of(listings) == ["a.jpg"]
        expected = {"fifo.jpg": "FIFO", "fifo": "FIFO", "socket.jpg": "socket"}
        assert left_out_of(listings) == {path: (why, None) for path, why in expected.items()}

    def test_links_are_left_out(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg")
        os.symlink("a", tmp_path / "folder")
        os.symlink("a/b.jpg", tmp_path / "link.jpg")
        os.symlink("nowhere", tmp_path / "dangling.jpg")
        listings = list(walk(root, Selection()))
        assert paths_of(listings) == ["a/b.jpg"]
        out = left_out_of(listings)
        assert set(out) == {"folder", "link.jpg", "dangling.jpg"}
        assert set(out.values()) == {(SYMLINK, None)}

    def test_links_are_followed(self, tmp_path: Path) -> None:
        root = grow(tmp_path / "root", "a/b.jpg")
        grow(tmp_path / "else", "c.jpg")
        os.symlink("a", tmp_path / "root" / "folder.txt")
        os.symlink("a", tmp_path / "root" / "once more")
        os.symlink("../else/c.jpg", tmp_path / "root" / "link.jpg")
        os.symlink("nowhere", tmp_path / "root" / "dangling.jpg")
        listings = list(walk(root, FOLLOW))
        expected = ["link.jpg", "a/b.jpg", "folder.txt/b.jpg", "once more/b.jpg"]
        assert paths_of(listings) == expected
        assert left_out_of(listings)["dangling.jpg"][1] is ErrorClass.MISSING
        assert "folder.txt/b.jpg" in found(root, Selection(follow_symlinks=True, include=("b*",)))

    def test_loops_end(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b/c.jpg")
        os.symlink("..", tmp_path / "a" / "b" / "up")
        os.symlink(".", tmp_path / "self")
        os.symlink(tmp_path.parent, tmp_path / "above")
        os.symlink("me.jpg", tmp_path / "me.jpg")
        listings = list(walk(root, FOLLOW))
        assert "a/b/c.jpg" in paths_of(listings)
        out = left_out_of(listings)
        for path in ("a/b/up/", "self/", f"above/{tmp_path.name}/"):
            assert "loop" in out[path][0]
            assert out[path][1] is None
        assert out["me.jpg"] == ("Too many levels of symbolic links", None)

    def test_deep_trees_need_no_deep_stack(self, tmp_path: Path) -> None:
        folders = [f"{tmp_path}/" + "d/" * depth for depth in range(1, 1900)]
        for folder in folders:
            os.mkdir(folder)
        picture = Path(folders[-1]) / "a.jpg"
        picture.touch()
        assert found(str(tmp_path)) == ["d/" * len(folders) + "a.jpg"]
        picture.unlink()
        for folder in reversed(folders):  # too deep for those who clean up behind the test
            os.rmdir(folder)


class TestTrouble:
    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_without_permission(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg", "c/d.jpg")
        os.chmod(tmp_path / "a", 0)
        try:
            listings = list(walk(root, Selection()))
        finally:
            os.chmod(tmp_path / "a", 0o700)
        assert paths_of(listings) == ["c/d.jpg"]
        assert left_out_of(listings)["a/"] == ("Permission denied", ErrorClass.AUTH)

    def test_a_folder_that_cannot_be_listed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = grow(tmp_path, "a/b.jpg", "c/d.jpg")
        denied = os.stat(tmp_path / "a").st_ino
        scandir = os.scandir

        def guarded(path: int | str) -> object:
            if os.stat(path).st_ino == denied:
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", guarded)
        listings = list(walk(root, Selection()))
        assert paths_of(listings) == ["c/d.jpg"]
        assert left_out_of(listings) == {"a/": ("Permission denied", ErrorClass.AUTH)}
        [listing] = by_folder(listings)["a/"]
        assert not listing.is_exhaustive
        assert listing.unseen == ["a/"]

    def test_a_folder_that_vanishes(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg", "c/d.jpg")
        listings = walk(root, Selection())
        first = next(listings)
        (tmp_path / "a" / "b.jpg").unlink()
        (tmp_path / "a").rmdir()
        rest = list(listings)
        assert paths_of([first, *rest]) == ["c/d.jpg"]
        assert left_out_of(rest)["a/"][1] is ErrorClass.MISSING
        assert rest[0].is_exhaustive, "what was recorded below it is gone"

    @pytest.mark.parametrize("selection", [Selection(), ALL, Selection(min_size_bytes=0)])
    def test_a_file_that_vanishes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: Selection
    ) -> None:
        """Gone between the folder's listing and the file's stat."""
        root, scandir = grow(tmp_path, "a.jpg", "b.jpg", "gone.jpg"), os.scandir

        @contextmanager
        def scandir_then_remove(folder: int | str) -> Iterator[Iterator[os.DirEntry[str]]]:
            with scandir(folder) as entries:
                yield entries
            if isinstance(folder, int):  # not the first check of the root
                (tmp_path / "gone.jpg").unlink()

        monkeypatch.setattr(os, "scandir", scandir_then_remove)
        [listing] = walk(root, selection)
        assert [row[0] for row in listing.files] == ["a.jpg", "b.jpg"]
        assert left_out_of([listing])["gone.jpg"][1] is ErrorClass.MISSING
        assert listing.present == {"a.jpg", "b.jpg"}

    def test_a_walk_that_is_given_up_leaves_nothing_open(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a/b.jpg", "c/d.jpg")
        before = len(os.listdir("/proc/self/fd"))
        listings = walk(root, Selection())
        next(listings)
        next(listings)
        listings.close()  # type: ignore[attr-defined]
        assert len(os.listdir("/proc/self/fd")) == before


class TestArchives:
    def test_members_come_after_the_files_of_their_folder(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "a.jpg", "s/c.jpg", "z/d.jpg")
        make_zip(tmp_path / "s" / "b.ZIP", ("trip/one.jpg", JPEG), ("notes.txt", b"text"))
        listings = list(walk(root, Selection()))
        assert paths_of(listings) == ["a.jpg", "s/c.jpg", "s/b.ZIP#trip/one.jpg", "z/d.jpg"]
        assert left_out_of(listings) == {"s/b.ZIP#notes.txt": (NO_MEDIA, None)}
        row = by_folder(listings)["s/b.ZIP#"][0].files[0]
        assert row[0] == "trip/one.jpg"
        assert row[1] == len(JPEG)

    def test_with_all_files_an_archive_is_a_file(self, tmp_path: Path) -> None:
        make_zip(tmp_path / "b.zip", ("one.jpg", JPEG))
        assert found(str(tmp_path), ALL) == ["b.zip"]

    def test_members_are_judged_like_files(self, tmp_path: Path) -> None:
        path = make_zip(
            tmp_path / "b.zip",
            ("__MACOSX/._one.jpg", b""),
            (".hidden/two.jpg", JPEG),
            ("Thumbs.db", b""),
            ("photo", JPEG),
            ("text", b"text"),
            ("x/three.jpg", JPEG),
            ("inner.zip", b"PK"),
        )
        assert found(path) == ["b.zip#photo", "b.zip#x/three.jpg"]
        assert found(str(tmp_path), Selection(exclude=("x/",))) == ["b.zip#photo"]
        assert found(str(tmp_path), Selection(exclude=("b.zip",))) == []
        assert found(str(tmp_path), Selection(include=("three.*",))) == ["b.zip#x/three.jpg"]
        assert found(str(tmp_path), Selection(min_size_bytes=99)) == []
        (tmp_path / ".bulkupignore").write_text("b.zip/x/\n")
        assert found(str(tmp_path)) == ["b.zip#photo"]

    def test_refused_members_are_errors_only_if_they_were_wanted(self, tmp_path: Path) -> None:
        make_zip(tmp_path / "b.zip", ("../up.jpg", JPEG), ("../up.txt", b""), ("in.jpg", JPEG))
        listings = list(walk(str(tmp_path), Selection()))
        assert paths_of(listings) == ["b.zip#in.jpg"]
        out = left_out_of(listings)
        assert out["b.zip#../up.jpg"] == ("path that leaves the archive", ErrorClass.INVALID)
        assert out["b.zip#../up.txt"] == (NO_MEDIA, None)

    def test_a_broken_archive_is_one_that_is_left_out(self, tmp_path: Path) -> None:
        root = grow(tmp_path, "s/bad.zip", "s/c.jpg")
        listings = list(walk(root, Selection()))
        assert paths_of(listings) == ["s/c.jpg"]
        [(path, (reason, error_class))] = left_out_of(listings).items()
        assert path == "s/bad.zip"
        assert reason.startswith("broken or truncated ZIP archive")
        assert error_class is ErrorClass.INVALID
        assert by_folder(listings)["s/bad.zip#"][0].unseen == ["s/bad.zip#"]

    def test_a_damaged_member_of_unknown_kind(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "b.zip", ("photo", JPEG), ("one.jpg", JPEG))
        patch_central(path, 16, b"\0\0\0\0")
        listings = list(walk(path, Selection()))
        assert left_out_of(listings)["b.zip#photo"][1] is ErrorClass.INVALID
        assert paths_of(listings) == ["b.zip#one.jpg"]

    def test_chunks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(members_module, "CHUNK_NAMES", 3)
        path = make_zip(tmp_path / "b.zip", *((f"{i}.jpg", b"") for i in range(10)))
        listings = list(walk(path, Selection()))
        assert [len(one.files) for one in listings] == [3, 3, 3, 1]
        check_tiling(listings)

    def test_an_empty_archive_has_a_listing(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "b.zip")
        [listing] = walk(path, Selection())
        assert (listing.folder, listing.files) == ("b.zip#", [])


class TestRoots:
    def test_a_single_file_may_be_hidden_and_of_any_kind(self, tmp_path: Path) -> None:
        grow(tmp_path, ".notes.txt", "Thumbs.db")
        [listing] = walk(str(tmp_path / ".notes.txt"), Selection())
        assert (listing.folder, listing.files[0][0]) == ("", ".notes.txt")
        assert found(str(tmp_path / "Thumbs.db")) == []

    def test_a_root_that_is_a_link_is_followed(self, tmp_path: Path) -> None:
        grow(tmp_path, "a/b.jpg")
        os.symlink("a", tmp_path / "link")
        assert found(str(tmp_path / "link")) == ["b.jpg"]
        assert found(str(tmp_path / "link") + "/") == ["b.jpg"]

    def test_anchor_and_path_make_the_place_on_disk(self, tmp_path: Path) -> None:
        grow(tmp_path, "a/b.jpg")
        make_zip(tmp_path / "c.zip", ("d.jpg", JPEG))
        for root in (tmp_path, tmp_path / "a", tmp_path / "a" / "b.jpg"):
            for path in found(str(root)):
                if "#" not in path:
                    assert os.path.isfile(os.path.join(anchor(str(root)), path))
        archive, _, name = found(str(tmp_path / "c.zip"))[0].partition("#")
        with open_member(os.path.join(anchor(str(tmp_path / "c.zip")), archive), name) as source:
            assert source.read() == JPEG
        assert anchor("file in the working directory") == "."

    def test_roots_that_cannot_be(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for name in ("nowhere", "fifo", "nul\0"):
            root = str(tmp_path / name)
            with pytest.raises(UsageError) as caught:
                check_root(root)
            assert name in str(caught.value) or repr(root) in str(caught.value)
        with pytest.raises(UsageError):
            next(walk(str(tmp_path / "nowhere"), Selection()))
        check_root(str(tmp_path))

    def test_relative_roots(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        grow(tmp_path, "a/b.jpg")
        monkeypatch.chdir(tmp_path)
        assert found("a") == ["b.jpg"]
        assert found(".") == ["a/b.jpg"]
        assert found("a/b.jpg") == ["b.jpg"]


@pytest.mark.corpus
class TestCorpus:
    def test_photos(self, corpus: Path) -> None:
        """67 pictures, of which the hidden album holds two; three files of junk and text."""
        root = str(corpus / "photos")
        hidden = [p for p in all_paths(root) if p.startswith(".hidden album/")]
        assert len(found(root)) == 67 - len(hidden)
        assert len(found(root, Selection(hidden=True))) == 67

    def test_nasties(self, corpus: Path) -> None:
        listings = list(walk(str(corpus / "malformed" / "nasties"), Selection()))
        paths, out = paths_of(listings), left_out_of(listings)
        assert {"no_extension", "text_named.jpg", "picture.svg", "UPPER.JPG"} <= set(paths)
        assert "path_traversal.zip#fine.jpg" in paths
        assert "same_name_twice.zip#same~2.jpg" in paths
        assert sum(path.startswith("1500_empty_members.zip#") for path in paths) == 1500
        assert out["odd_names.zip#__MACOSX/._one.jpg"] == (JUNK, None)
        assert out["nested_bomb.zip#level0.zip"] == (NO_MEDIA, None)
        broken = {path for path, (_, error) in out.items() if error is ErrorClass.INVALID}
        assert broken == {
            "bomb_declares_160MB.zip#photo.jpg",
            "encrypted_password_is_secret.zip#locked0.jpg",
            "encrypted_password_is_secret.zip#locked1.jpg",
            "not_a_zip.zip",
            "path_traversal.zip#../../evil.jpg",
            "path_traversal.zip#..\\..\\evil_windows.jpg",
            "path_traversal.zip#/abs.jpg",
            "path_traversal.zip#C:/evil_drive.jpg",
            "path_traversal.zip#ok/../../sneaky.jpg",
            "symlink.zip#link.jpg",
            "truncated.zip",
        }


def test_archives_are_told_by_name() -> None:
    assert listing_module.is_archive_name("a.ZIP")
    assert not listing_module.is_archive_name("zip")
