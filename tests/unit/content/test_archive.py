"""ZIP members: every one ends in a named state, and nothing inflates beyond its limits."""

from __future__ import annotations

import io
import ntpath
import posixpath
import stat
import struct
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bulkup.content.archive import (
    ArchiveMember,
    RefusedMember,
    find_member,
    members,
    open_member,
    why_unsafe,
)
from bulkup.content.zip_stream import RATIO_FREE_BYTES
from bulkup.errors import SourceError, SourceInvalid, SourceMissing
from tests.unit.content.zips import declare, make_zip, patch_central


def listed(path: str) -> list[tuple[str, str | None]]:
    """Names with the reason why they are refused."""
    return [
        (one.name, one.reason if isinstance(one, RefusedMember) else None) for one in members(path)
    ]


def read(path: str, name: str, **options: int) -> bytes:
    with open_member(path, name, **options) as source:
        return source.read()


@given(st.lists(st.binary(max_size=3000), max_size=5), st.booleans(), st.integers(1, 4000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_members_come_out_as_they_went_in(
    tmp_path: Path, contents: list[bytes], deflate: bool, most: int
) -> None:
    """Whatever the method and the size of reads."""
    path = make_zip(
        tmp_path / "a.zip",
        *((f"{i}.jpg", data) for i, data in enumerate(contents)),
        deflate=deflate,
    )
    found = list(members(path))
    assert [one.name for one in found] == [f"{i}.jpg" for i in range(len(contents))]
    for one, data in zip(found, contents, strict=True):
        with open_member(path, one.name) as source:
            assert b"".join(iter(lambda s=source: s.read(most), b"")) == data


def test_stat_tells_size_date_place_and_crc(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.jpg", (2020, 2, 29, 12, 30, 58))
    path = make_zip(tmp_path / "a.zip", ("first.jpg", b"1"), (info, b"picture"))
    found = find_member(path, "a.jpg").stat
    assert found.size_bytes == 7
    assert found.modified_ns == 1_582_979_458 * 10**9
    assert found.inode > 0
    assert found.changed_ns == zlib.crc32(b"picture")


def test_a_date_that_is_none_is_1980(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("a.jpg", b"picture"))
    patch_central(path, 12, b"\0\0\0\0")
    assert find_member(path, "a.jpg").stat.modified_ns == 315_532_800 * 10**9


def test_folders_are_left_out_and_paths_made_plain(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("trip/", b""), ("./trip//one.jpg", b"1"))
    assert listed(path) == [("trip/one.jpg", None)]
    assert read(path, "trip/one.jpg") == b"1"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "a/../../evil.jpg",
        "/evil.jpg",
        "..\\evil.jpg",
        "a\\..\\..\\evil.jpg",
        "\\evil.jpg",
        "\\\\host\\share\\evil.jpg",
        "C:/evil.jpg",
    ],
)
def test_escaping_names_are_refused(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "a.zip", (name, b"evil"), ("fine.jpg", b"fine"))
    (refused, reason), fine = listed(path)
    assert reason is not None
    assert fine == ("fine.jpg", None)
    with pytest.raises(SourceInvalid):
        open_member(path, refused)


@given(st.text(alphabet="./\\:aC", max_size=12))
def test_safe_names_stay_below_their_folder(name: str) -> None:
    """What is let through resolves to a path inside, on POSIX and on Windows.

    `ntpath` takes any character before a colon for a drive; drives are letters before a separator,
    and `1:30.jpg` and `D: at the sea.jpg` are sound names elsewhere.
    """
    assume(name[1:2] != ":" or (name[0].isalpha() and name[2:3] in ("", "/", "\\")))
    if why_unsafe(name) is None:
        for paths in (posixpath, ntpath):
            joined = paths.normpath(paths.join("base", name))
            assert joined == "base" or joined.startswith("base" + paths.sep)


def test_special_members_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    fifo = zipfile.ZipInfo("fifo.jpg")
    fifo.external_attr = (stat.S_IFIFO | 0o644) << 16
    path = make_zip(tmp_path / "a.zip", (link, b"/etc/passwd"), (fifo, b""), ("a.jpg", b"a"))
    assert [reason is None for _, reason in listed(path)] == [False, False, True]


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("a.jpg", b"a"), ("b.jpg", b"b"))
    patch_central(path, 8, b"\1\0")
    assert listed(path) == [("a.jpg", "encrypted member"), ("b.jpg", None)]


def test_methods_without_a_bound_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"a", compress_type=zipfile.ZIP_LZMA)
    [(_, reason)] = listed(str(tmp_path / "a.zip"))
    assert reason == "compression method 14 is not supported"


def test_second_of_one_name_is_addressed_apart(tmp_path: Path) -> None:
    """Neither hides the other, nor a third that has the made-up name already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = make_zip(
            tmp_path / "a.zip",
            ("same.jpg", b"1"),
            ("same.jpg", b"2"),
            ("same~2.jpg", b"3"),
            ("same.jpg", b"4"),
        )
    names = [name for name, _ in listed(path)]
    assert names == ["same.jpg", "same~3.jpg", "same~2.jpg", "same~4.jpg"]
    assert [read(path, name) for name in names] == [b"1", b"2", b"3", b"4"]


def test_names_without_the_flag_are_utf8_if_they_can_be(tmp_path: Path) -> None:
    """macOS writes UTF-8 without saying so; DOS wrote cp437."""
    path = make_zip(tmp_path / "a.zip", ("cafXX.jpg", b"1"), ("cafY.jpg", b"2"))
    data = Path(path).read_bytes()
    data = data.replace(b"cafXX", "café".encode()).replace(b"cafY", b"caf\x82")
    Path(path).write_bytes(data)
    names = [name for name, _ in listed(path)]
    assert names == ["café.jpg", "café~2.jpg"]
    assert [read(path, name) for name in names] == [b"1", b"2"]


class TestLimits:
    def test_more_than_declared_is_refused_before_the_last_declared_byte(
        self, tmp_path: Path
    ) -> None:
        """Even when the CRC fits the declared bytes, and the caller reads just those."""
        data = b"A" * 5000
        path = make_zip(tmp_path / "a.zip", ("a.jpg", data))
        declare(path, size_bytes=1000, crc=zlib.crc32(data[:1000]))
        with open_member(path, "a.jpg") as source, pytest.raises(SourceInvalid, match="more than"):
            source.read(1000)

    def test_more_than_declared_is_refused_when_stored(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "a.zip", ("a.jpg", b"A" * 5000), deflate=False)
        declare(path, size_bytes=1000)
        with pytest.raises(SourceInvalid, match="more than"):
            read(path, "a.jpg")

    def test_declared_empty_and_not(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "a.zip", ("a.jpg", b"A" * 5000))
        declare(path, size_bytes=0, crc=0)
        with pytest.raises(SourceInvalid, match="more than"):
            read(path, "a.jpg")

    @pytest.mark.parametrize("deflate", [True, False])
    def test_less_than_declared(self, tmp_path: Path, deflate: bool) -> None:
        path = make_zip(tmp_path / "a.zip", ("a.jpg", b"A" * 5000), deflate=deflate)
        declare(path, size_bytes=6000)
        with pytest.raises(SourceInvalid, match="ends after 5000 of 6000 bytes"):
            read(path, "a.jpg")

    def test_declared_size_above_the_limit(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "a.zip", ("a.jpg", bytes(range(256)) * 8))
        assert read(path, "a.jpg", limit_bytes=2048)
        with pytest.raises(SourceInvalid, match="larger than the limit of 2047"):
            open_member(path, "a.jpg", limit_bytes=2047)

    def test_a_film_of_any_size_is_a_member(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "a.zip", ("film.mp4", b"film"))
        declare(path, size_bytes=600 << 20)
        patch_central(path, 20, struct.pack("<L", 500 << 20))  # the packed size
        assert listed(path) == [("film.mp4", None)]

    def test_declared_ratio(self, tmp_path: Path) -> None:
        path = make_zip(
            tmp_path / "a.zip",
            ("bomb.jpg", bytes(RATIO_FREE_BYTES + 1)),
            ("flat.jpg", bytes(RATIO_FREE_BYTES)),  # one colour may be packed well
        )
        (_, bomb), (_, flat) = listed(path)
        assert bomb is not None
        assert bomb.startswith("decompression bomb")
        assert flat is None
        assert len(read(path, "flat.jpg")) == RATIO_FREE_BYTES

    def test_ratio_while_inflating(self, tmp_path: Path) -> None:
        """A member that lies about its packed size is stopped by what really went in."""
        path = make_zip(tmp_path / "a.zip", ("a.jpg", bytes(RATIO_FREE_BYTES * 2)))
        patch_central(path, 20, (200_000).to_bytes(4, "little"))
        assert listed(path)[0] == ("a.jpg", None)
        with open_member(path, "a.jpg") as source:
            assert len(source.read(RATIO_FREE_BYTES)) == RATIO_FREE_BYTES
            with pytest.raises(SourceInvalid, match="decompression bomb"):
                source.read()

    def test_wrong_crc(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "a.zip", ("a.jpg", b"A" * 5000), ("b.jpg", b"good"))
        patch_central(path, 16, b"\0\0\0\0")
        with open_member(path, "a.jpg") as source, pytest.raises(SourceInvalid, match="CRC"):
            source.read(5000)
        assert read(path, "b.jpg") == b"good"


class TestDamage:
    def test_missing_archive_and_member(self, tmp_path: Path) -> None:
        with pytest.raises(SourceMissing):
            list(members(str(tmp_path / "none.zip")))
        path = make_zip(tmp_path / "a.zip", ("a.jpg", b"a"))
        with pytest.raises(SourceMissing):
            open_member(path, "b.jpg")

    @pytest.mark.parametrize("data", [b"", b"PK", b"no archive", b"\0" * 100])
    def test_no_archive(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(SourceInvalid, match="broken or truncated"):
            list(members(str(tmp_path / "a.zip")))

    def test_an_archive_that_is_replaced_is_read_again(self, tmp_path: Path) -> None:
        path = make_zip(tmp_path / "a.zip", ("a.jpg", b"old"))
        assert read(path, "a.jpg") == b"old"
        make_zip(tmp_path / "b.zip", ("a.jpg", b"longer and new"))
        (tmp_path / "b.zip").rename(path)
        assert read(path, "a.jpg") == b"longer and new"

    @given(st.data())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
    def test_damage_anywhere_is_a_source_error(self, tmp_path: Path, data: st.DataObject) -> None:
        """Flipped and missing bytes give our errors or the right bytes, nothing else."""
        contents = {"one.jpg": b"first picture" * 9, "zwei ü.png": b"second" * 5}
        sound = Path(make_zip(tmp_path / "sound.zip", *contents.items())).read_bytes()
        raw = bytearray(sound)
        for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
            raw[at] = data.draw(st.integers(0, 255))
        path = tmp_path / "a.zip"
        path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2]))])
        try:
            for one in members(str(path)):
                if isinstance(one, ArchiveMember):
                    got = read(str(path), one.name)
                    assert len(got) == one.stat.size_bytes
                    one.name.encode()
        except SourceError:
            pass


def test_1500_empty_members_and_threads(tmp_path: Path) -> None:
    """Readers of one archive do not disturb each other."""
    path = make_zip(
        tmp_path / "a.zip", *((f"{i}.jpg", b"") for i in range(1500)), ("last.jpg", b"x" * 9999)
    )
    names = [one.name for one in members(path)]
    assert len(names) == 1501
    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(lambda name: len(read(path, name)), names + ["last.jpg"] * 20))
    assert sizes == [0] * 1500 + [9999] * 21


def test_a_nested_archive_is_just_a_member(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep.jpg", b"deep")
    path = make_zip(tmp_path / "a.zip", ("inner.zip", inner.getvalue()))
    assert listed(path) == [("inner.zip", None)]


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "read_ones", "refused"),
    [
        ("photo.zip", 6, 0),
        ("1500_empty_members.zip", 1500, 0),
        ("empty.zip", 0, 0),
        ("path_traversal.zip", 1, 5),
        ("symlink.zip", 1, 1),
        ("encrypted_password_is_secret.zip", 0, 2),
        ("bomb_declares_160MB.zip", 0, 1),
        ("same_name_twice.zip", 2, 0),
        ("odd_names.zip", 4, 0),
        ("nested_bomb.zip", 16, 0),
    ],
)
def test_nasties(corpus: Path, name: str, read_ones: int, refused: int) -> None:
    path = str(corpus / "malformed" / "nasties" / name)
    found = list(members(path))
    good = [one for one in found if isinstance(one, ArchiveMember)]
    assert (len(good), len(found) - len(good)) == (read_ones, refused)
    for one in good:
        assert len(read(path, one.name)) == one.stat.size_bytes


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["not_a_zip.zip", "truncated.zip"])
def test_broken_nasties(corpus: Path, name: str) -> None:
    with pytest.raises(SourceInvalid):
        list(members(str(corpus / "malformed" / "nasties" / name)))


@pytest.mark.corpus
def test_nasties_that_lie(corpus: Path) -> None:
    nasties = corpus / "malformed" / "nasties"
    with pytest.raises(SourceInvalid, match="1000 bytes it declares"):
        read(str(nasties / "bomb_declares_1000_bytes.zip"), "photo.jpg")
    with pytest.raises(SourceInvalid, match="CRC"):
        read(str(nasties / "bad_crc.zip"), "bad.jpg")
    assert len(read(str(nasties / "bad_crc.zip"), "good.jpg")) == 4673


@pytest.mark.parametrize(
    ("of_name", "expected"), [(b"_.jpg", "写真.jpg"), (b"other", "_.jpg")], ids=["its", "stale"]
)
def test_the_unicode_path_field_names_the_member(
    tmp_path: Path, of_name: bytes, expected: str
) -> None:
    """As WinRAR and Info-ZIP write it; of a file that was renamed later it says nothing."""
    info = zipfile.ZipInfo("_.jpg")
    value = struct.pack("<BL", 1, zlib.crc32(of_name)) + "写真.jpg".encode()
    info.extra = struct.pack("<HH", 0x7075, len(value)) + value
    path = make_zip(tmp_path / "a.zip", (info, b"x"))
    assert listed(path) == [(expected, None)]


def test_a_colon_is_a_drive_only_before_a_separator() -> None:
    assert why_unsafe("D: at the sea.jpg") is None
    for drive in ("D:/a.jpg", "D:\\a.jpg", "D:"):
        assert why_unsafe(drive) == "path with a drive letter in an archive"
