"""What the table of mounts says of a folder."""

from __future__ import annotations

from pathlib import Path

from bulkup.walk.mounts import absent_mounts, mount_of, mounts_below, read_mounts

LINE = "36 35 98:0 / {path} rw,noatime master:1 - {type} /dev/x rw,errors=continue\n"


def table(tmp_path: Path, *mounts: tuple[Path, str]) -> str:
    file = tmp_path / "mountinfo"
    lines = [LINE.format(path=str(path).replace(" ", "\\040"), type=kind) for path, kind in mounts]
    file.write_text("".join(lines))
    return str(file)


def test_mounts_at_and_below_a_folder_are_found(tmp_path: Path) -> None:
    root = tmp_path / "media"
    mounts = read_mounts(
        table(
            tmp_path,
            (Path("/"), "ext4"),
            (root, "tmpfs"),
            (root / "MY CARD", "exfat"),
            (tmp_path / "media2", "vfat"),
        )
    )
    assert mounts_below(str(root), mounts) == {"", "MY CARD"}
    inner = mount_of(str(root / "MY CARD" / "DCIM"), mounts)
    assert inner is not None
    assert (inner.type, inner.sends_events) == ("exfat", True)


def test_network_mounts_and_fuse_send_no_events(tmp_path: Path) -> None:
    for kind in ("nfs4", "cifs", "smb3", "fuse.sshfs", "9p"):
        mount = mount_of("/any", read_mounts(table(tmp_path, (Path("/"), kind))))
        assert mount is not None
        assert not mount.sends_events


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    mounts = read_mounts(str(tmp_path / "none"))
    assert mounts == []
    assert mount_of("/", mounts) is None


def test_a_known_mount_is_absent_while_its_folder_is_empty_or_gone(tmp_path: Path) -> None:
    for name in ("empty", "used", "mounted"):
        (tmp_path / name).mkdir()
    (tmp_path / "used" / "a.jpg").write_bytes(b"x")
    known = frozenset({"empty", "used", "mounted", "gone"})
    absent = absent_mounts(str(tmp_path), known, frozenset({"mounted"}))
    assert absent == {"empty", "gone"}
