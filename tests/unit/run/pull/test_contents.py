"""Which contents are wanted, and the names of their files."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from bulkup.manifest.reports.pull import PulledContent, PulledFile, PulledObject, PulledRoot
from bulkup.model import Digest
from bulkup.run.pull.contents import PullPlan, PullSelection, root_labels
from bulkup.run.pull.folder import TargetFolder

DIGEST = Digest(sha256(b"x").hexdigest())


def content(*files: PulledFile, objects: tuple[PulledObject, ...] = ()) -> PulledContent:
    return PulledContent(1, DIGEST, 1, files, objects)


def test_roots_of_the_same_name_are_told_apart() -> None:
    """In whatever case: some file systems know none."""
    labels = root_labels(
        [PulledRoot(1, "/a/photos", 1), PulledRoot(2, "/b/Photos", 1), PulledRoot(3, "/", 1)]
    )
    assert labels[3] == "root/"
    assert labels[1].startswith("photos~")
    assert labels[2].startswith("Photos~")
    assert len(set(labels.values())) == 3
    assert root_labels([PulledRoot(5, "/a/photos", 1)]) == {5: ""}


def test_a_destination_that_is_preferred_is_read_first(tmp_path: Path) -> None:
    objects = (PulledObject(1, "far"), PulledObject(2, "near"), PulledObject(9, "not open"))
    plan = PullPlan(
        TargetFolder(str(tmp_path)),
        PullSelection(),
        [PulledRoot(1, "/photos", 1)],
        {1: "", 2: ""},
        [2, 1],
    )
    page = plan.decide([content(PulledFile(1, "a.jpg", 5), objects=objects)])
    (found,) = page.wanted
    assert [one.key for one in found.objects] == ["near", "far"]


def test_what_was_never_uploaded_is_named(tmp_path: Path) -> None:
    plan = PullPlan(
        TargetFolder(str(tmp_path)), PullSelection(), [PulledRoot(1, "/photos", 1)], {1: ""}
    )
    page = plan.decide([content(PulledFile(1, "a.jpg", 5))])
    assert [(one.path, one.error_class) for one in page.failed] == [
        (f"{tmp_path}/a.jpg", "missing")
    ]


def test_objects_without_files_are_wanted_only_where_nothing_was_pushed(tmp_path: Path) -> None:
    """Where something was, they are older contents of files that changed."""
    objects = (PulledObject(1, "p/old.jpg"), PulledObject(2, "q/rebuilt.jpg"))
    plan = PullPlan(
        TargetFolder(str(tmp_path)),
        PullSelection(),
        [PulledRoot(1, "/photos", 1)],
        {1: "p/", 2: "q/"},
    )
    (found,) = plan.decide([content(objects=objects)]).wanted
    assert [place.path for place in found.places] == ["rebuilt.jpg"]
