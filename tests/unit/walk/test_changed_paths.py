"""Which parts of a root are listed for paths that changed."""

from __future__ import annotations

from pathlib import Path

from bulkup.walk.changed_paths import ChangedPaths
from bulkup.walk.filters import Selection
from bulkup.walk.walk import walk
from tests.e2e.trees import make_tree

FILES = dict.fromkeys(("a.jpg", "b/c.jpg", "b/d/e.jpg", "f/g.jpg", "f/h/i.jpg"), b"x")


def listed(root: Path, *paths: str) -> dict[str, list[str]]:
    changed = ChangedPaths(str(root), [str(root / path) for path in paths])
    listings = walk(str(root), Selection(), enters=changed.leads_to)
    return {one.folder: [row[0] for row in one.files] for one in changed.only(listings)}


def test_a_file_has_its_folder_listed_and_no_folder_below(tmp_path: Path) -> None:
    make_tree(tmp_path, FILES)
    assert listed(tmp_path, "a.jpg") == {"": ["a.jpg"]}
    assert listed(tmp_path, "b/d/e.jpg") == {"b/d/": ["e.jpg"]}


def test_a_folder_is_listed_as_a_whole(tmp_path: Path) -> None:
    make_tree(tmp_path, FILES)
    assert listed(tmp_path, "f") == {"": ["a.jpg"], "f/": ["g.jpg"], "f/h/": ["i.jpg"]}


def test_an_ignore_file_concerns_its_folder_and_all_below(tmp_path: Path) -> None:
    make_tree(tmp_path, FILES)
    assert set(listed(tmp_path, "f/.bulkupignore")) == {"f/", "f/h/"}


def test_what_is_gone_has_its_folder_listed_and_is_looked_for_below(tmp_path: Path) -> None:
    make_tree(tmp_path, FILES)
    changed = ChangedPaths(str(tmp_path), [str(tmp_path / "b/gone")])
    assert listed(tmp_path, "b/gone") == {"b/": ["c.jpg"]}
    assert set(changed.gone_below) == {"b/gone/", "b/gone#"}


def test_paths_of_other_roots_count_for_nothing(tmp_path: Path) -> None:
    assert not ChangedPaths(str(tmp_path / "a"), [str(tmp_path / "ab" / "c.jpg")])
