"""Machines whose manifests are hard to tell apart, or come in another order."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from bulkup.manifest.manifest import Manifest
from bulkup.operations.merge import merge
from tests.e2e.conftest import Bulkup
from tests.e2e.test_merge import asked_all, dump, hosts, merging, others, pretend_host
from tests.e2e.trees import make_tree

__all__ = ["hosts", "merging"]  # fixtures


def pull_root(bulkup: Bulkup, root: str, into: Path) -> dict[str, bytes]:
    """What is in that root, pulled."""
    into.mkdir(parents=True)
    bulkup("pull", "--root", root, "--into", into)
    return {
        str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()
    }


def machine(tmp_path: Path, name: str, files: Mapping[str, bytes]) -> tuple[Bulkup, Path]:
    """A machine called nas that has these files in /photos, as it were; its manifest."""
    bulkup = Bulkup(tmp_path / name)
    bulkup.directory.mkdir(exist_ok=True)
    shutil.rmtree(tmp_path / "photos", ignore_errors=True)
    tree = make_tree(tmp_path / "photos", files)
    to = ("--to", tmp_path / "store", "--layout", "content", "--stages", "upload")
    bulkup("push", tree, *to)
    pretend_host(bulkup.home / "manifest.db", "nas")
    return bulkup, bulkup.home / "manifest.db"


def test_two_machines_of_one_name_do_not_overwrite_each_other(
    merging: Bulkup, tmp_path: Path
) -> None:
    first, second = {"a.jpg": b"a"}, {"a.jpg": b"another a", "b.jpg": b"b"}
    one, manifest = machine(tmp_path, "one", first)
    _, others = machine(tmp_path, "two", second)
    merging("merge", manifest)
    (report,) = merging("merge", others, "--json").json()
    assert report["conflicts"][0]["what"].startswith("files that differ; this manifest's version")
    root = f"{tmp_path / 'photos'}"
    assert pull_root(merging, f"nas:{root}", tmp_path / "mixed") == {**second, **first}
    merging("merge", others, "--host", "other")
    assert pull_root(merging, f"other:{root}", tmp_path / "other") == second
    machine(tmp_path, "one", {"a.jpg": b"a later a"})  # it is followed, as before
    (report,) = merging("merge", one.home / "manifest.db", "--json").json()
    assert report["conflicts"] == []
    assert pull_root(merging, f"nas:{root}", tmp_path / "later")["a.jpg"] == b"a later a"


def test_a_cloned_machine_and_long_paths_come_back_as_they_were(
    bulkup: Bulkup, merging: Bulkup, tmp_path: Path
) -> None:
    """The clone has the runs, batches and roots of the first, under the same ids."""
    deep = "/".join(["ä" * 120] * 6) + "/" + "n" * 240 + ".jpg"
    files = {deep: b"deep", "caf\udce9.jpg": b"not UTF-8", "same.jpg": b"same"}
    tree = make_tree(bulkup.directory / "photos", files)
    bulkup("push", tree, "--to", bulkup.directory / "store", "--stages", "upload")
    clone = Bulkup(tmp_path / "clone")
    shutil.copytree(bulkup.home, clone.home)
    (tree / "same.jpg").write_bytes(b"other since")
    clone("push", tree)
    merging("merge", bulkup.home / "manifest.db", "--host", "first")
    merging("merge", clone.home / "manifest.db", "--host", "clone")
    before = dump(merging.home / "manifest.db")
    for other, host in ((bulkup, "first"), (clone, "clone")):
        merging("merge", other.home / "manifest.db", "--host", host)
    assert dump(merging.home / "manifest.db") == before
    assert pull_root(merging, f"first:{tree}", tmp_path / "1") == files
    assert pull_root(merging, f"clone:{tree}", tmp_path / "2") == {
        **files,
        "same.jpg": b"other since",
    }


SEEN = (
    "SELECT host, root, path, digest, key, upload, process, embed FROM files",
    "SELECT kind, key, size_bytes, hex(variant_digest) FROM object",
    "SELECT lower(hex(digest)), width_px, perceptual_hash FROM picture "
    "JOIN content ON content.id = content_id",
    "SELECT lower(hex(digest)), vector FROM embedding JOIN content ON content.id = content_id",
    "SELECT album.name, root.path, asset.name FROM album_asset JOIN album ON album.id = album_id "
    "JOIN asset ON asset.id = asset_id JOIN folder ON folder.id = folder_id "
    "JOIN root ON root.id = root_id",
    "SELECT id, command, host FROM run",
    "SELECT stage, state, items, bytes FROM tally WHERE items",
)


def test_the_order_of_merges_makes_no_difference(hosts: dict[str, Bulkup], tmp_path: Path) -> None:
    """Also where one of them has merged another before."""
    laptop, nas = others(hosts)
    hosts["laptop"]("merge", nas)
    found = []
    for order in ([laptop, nas], [nas, laptop], [laptop, nas, laptop]):
        manifest = tmp_path / f"{len(found)}.db"
        shutil.copy(hosts["here"].home / "manifest.db", manifest)
        with Manifest(str(manifest)) as opened:
            assert all(not report.conflicts for _, report in merge(opened, [str(o) for o in order]))
        found.append([sorted(asked_all(manifest, query), key=repr) for query in SEEN])
    assert found[0] == found[1] == found[2]
