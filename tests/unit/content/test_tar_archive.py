"""Tar archives, read as a stream: what is listed, what is read, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import threading
from pathlib import Path
from random import Random

import pytest

from bulkup.content.archive import find_member, members, open_member
from bulkup.content.archive_names import ArchiveMember, RefusedMember, is_tar_name
from bulkup.errors import SourceChanged, SourceInvalid, SourceMissing
from tests.unit.content.tars import Format, make_tar, member

BODY = b"0123456789" * 1000


def listed(path: str) -> list[str]:
    return [one.name for one in members(path) if isinstance(one, ArchiveMember)]


def refused(path: str) -> dict[str, str]:
    return {one.name: one.reason for one in members(path) if isinstance(one, RefusedMember)}


def test_a_film_of_any_size_is_a_member(tmp_path: Path) -> None:
    """A sparse file: a header, and zeros without a place on the disk."""
    size = 600 << 20
    info = tarfile.TarInfo("film.mp4")
    info.size = size
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf())
    os.truncate(path, 512 + size + 1024)
    with open_member(str(path), "film.mp4") as film:
        assert film.read(10) == bytes(10)
    assert find_member(str(path), "film.mp4").stat.size_bytes == size


def read(path: str, name: str) -> bytes:
    with open_member(path, name) as file:
        return file.read()


@pytest.mark.parametrize("name", ["a.tgz", "a.tar.gz", "A.TAR", "a.TGZ"])
def test_tar_archives_are_told_by_their_names(name: str) -> None:
    assert is_tar_name(name)
    assert not is_tar_name("a.gz")


@pytest.mark.parametrize("form", ["pax", "gnu", "ustar"])
@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.gz"])
def test_members_have_their_bytes_names_and_times(tmp_path: Path, name: str, form: Format) -> None:
    long = "Takeout/" + "x" * 60 + "/" + "y" * (200 if form != "ustar" else 60) + ".jpg"
    bodies = {"./a.jpg": BODY, long: b"", "dir//b.jpg": BODY[:513]}
    path = make_tar(tmp_path / name, *bodies.items(), form=form)
    assert listed(path) == ["a.jpg", long, "dir/b.jpg"]
    assert [read(path, one) for one in ("dir/b.jpg", "a.jpg", long)] == [BODY[:513], BODY, b""]
    stat = find_member(path, "a.jpg").stat
    assert (stat.size_bytes, stat.modified_ns) == (len(BODY), 1_600_000_000 * 10**9)


def test_names_beyond_ascii_and_fractions_of_seconds_are_kept(tmp_path: Path) -> None:
    info = member("Zürich 🏔.jpg", 1)
    info.pax_headers = {"mtime": "1600000000.123456789"}
    path = make_tar(tmp_path / "a.tgz", (info, b"x"))
    assert find_member(path, "Zürich 🏔.jpg").stat.modified_ns == 1_600_000_000_123_456_789


def test_what_is_no_file_or_leaves_the_archive_is_refused(tmp_path: Path) -> None:
    path = make_tar(
        tmp_path / "a.tgz",
        (member("d", kind=tarfile.DIRTYPE), b""),
        (member("link.jpg", kind=tarfile.SYMTYPE, link="/etc/passwd"), b""),
        (member("hard.jpg", kind=tarfile.LNKTYPE, link="ok.jpg"), b""),
        (member("fifo.jpg", kind=tarfile.FIFOTYPE), b""),
        ("../up.jpg", b"x"),
        ("/etc/a.jpg", b"x"),
        ("ok.jpg", b"fine"),
        ("ok.jpg", b"second"),
    )
    assert refused(path) == {
        "link.jpg": "symbolic link in an archive",
        "hard.jpg": "hard link in an archive",
        "fifo.jpg": "neither file nor folder",
        "../up.jpg": "path that leaves the archive",
        "/etc/a.jpg": "absolute path in an archive",
    }
    assert listed(path) == ["ok.jpg", "ok~2.jpg"]
    assert (read(path, "ok.jpg"), read(path, "ok~2.jpg")) == (b"fine", b"second")
    with pytest.raises(SourceInvalid):
        open_member(path, "link.jpg")
    with pytest.raises(SourceMissing):
        open_member(path, "none.jpg")


def test_a_bomb_is_stopped_early(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with gzip.open(path, "wb") as file:
        file.write(member("a.jpg", 1 << 40).tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))
    with pytest.raises(SourceInvalid, match="decompression bomb"):
        listed(str(path))


def test_a_header_of_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member("x", 1 << 30, kind=tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(SourceInvalid, match="a header of"):
        listed(str(path))


@pytest.mark.parametrize("name", ["a.tar", "a.tgz"])
def test_every_truncated_archive_is_refused(tmp_path: Path, name: str) -> None:
    whole = Path(make_tar(tmp_path / name, ("a.jpg", BODY), ("b.jpg", BODY))).read_bytes()
    for cut in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        if name == "a.tar" and cut > 2 * 512 + 2 * 10240:  # the two blocks of zeros, and padding
            break
        path = tmp_path / f"{cut}-{name}"
        path.write_bytes(whole[:cut])
        with pytest.raises(SourceInvalid):
            listed(str(path))


def test_damage_is_found(tmp_path: Path) -> None:
    path = Path(make_tar(tmp_path / "a.tgz", ("a.jpg", Random(1).randbytes(9000))))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(SourceInvalid):
        listed(str(path))


def test_gzip_files_in_a_row_are_one_archive(tmp_path: Path) -> None:
    plain = Path(make_tar(tmp_path / "a.tar", ("a.jpg", BODY), ("b.jpg", BODY))).read_bytes()
    path = tmp_path / "b.tgz"
    pieces = (plain[at : at + 3000] for at in range(0, len(plain), 3000))
    path.write_bytes(b"".join(gzip.compress(piece) for piece in pieces) + bytes(512))
    assert listed(str(path)) == ["a.jpg", "b.jpg"]
    assert read(str(path), "b.jpg") == BODY


def test_an_archive_that_has_changed_is_listed_again(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tgz", ("a.jpg", BODY))
    before = find_member(path, "a.jpg").stat
    make_tar(tmp_path / "a.tgz", ("a.jpg", BODY[::-1]))
    os.utime(path, (1, 1))
    assert find_member(path, "a.jpg").stat != before
    assert read(path, "a.jpg") == BODY[::-1]


def test_an_archive_that_changes_while_a_member_is_read_is_noticed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tgz", ("a.jpg", BODY * 100))
    with open_member(path, "a.jpg") as file:
        os.utime(path, (1, 1))
        with pytest.raises(SourceChanged):
            file.read()


def test_many_threads_read_members_in_any_order(tmp_path: Path) -> None:
    """Checkpoints and cursors lead everyone to the right bytes."""
    random = Random(7)
    bodies = {f"{n:03}.jpg": random.randbytes(random.randrange(400_000)) for n in range(240)}
    path = make_tar(tmp_path / "a.tgz", *bodies.items())
    names = list(bodies)
    wrong: list[str] = []

    def check(mine: list[str]) -> None:
        wrong.extend(name for name in mine if read(path, name) != bodies[name])

    orders = [names[0::3], names[1::3], names[2::3], random.sample(names, 40)]
    threads = [threading.Thread(target=check, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_reader_that_is_closed_early_hinders_nobody(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tgz", ("a.jpg", BODY * 100), ("b.jpg", BODY))
    with open_member(path, "a.jpg") as file:
        assert file.read(10) == BODY[:10]
    assert read(path, "b.jpg") == BODY
    assert read(path, "a.jpg") == BODY * 100


def test_a_member_over_the_limit_of_its_reader_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tgz", ("a.json", BODY))
    with pytest.raises(SourceInvalid, match="limit"):
        open_member(path, "a.json", limit_bytes=100)
    assert read(path, "a.json") == BODY
    assert isinstance(open_member(path, "a.json"), io.BytesIO)  # kept from the first time
