"""What a listing means against what was recorded."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import ErrorClass
from bulkup.model import LeftOut
from bulkup.walk.diff import broken, compare
from bulkup.walk.listing import FileRow, FolderListing


class Known(NamedTuple):
    file: FileRow
    asset_id: int = 1
    is_missing: bool = False


A: FileRow = ("a.jpg", 1, 2, 3, 4)


def test_a_file_is_unchanged_only_when_all_four_agree() -> None:
    assert compare(FolderListing("", [A]), {"a.jpg": Known(A)}).unchanged == [A]
    for at in range(1, 5):
        now = (*A[:at], 9, *A[at + 1 :])
        changes = compare(FolderListing("", [now]), {"a.jpg": Known(A)})  # type: ignore[list-item]
        assert changes.changed == [(Known(A), now)]
        assert not changes.unchanged


def test_what_is_not_listed_is_gone_unless_a_rule_left_it_out() -> None:
    recorded = {"a.jpg": Known(A)}
    assert compare(FolderListing(""), recorded).gone == [Known(A)]
    assert not compare(FolderListing("", is_exhaustive=False), recorded).gone
    by_rule = FolderListing("", left_out=[LeftOut("", "a.jpg", "excluded")])
    assert not compare(by_rule, recorded).gone
    assert compare(by_rule, recorded).excluded == [Known(A)]
    vanished = FolderListing("", left_out=[LeftOut("", "a.jpg", "gone", ErrorClass.MISSING)])
    assert compare(vanished, recorded).gone == [Known(A)]


def test_a_missing_file_that_is_there_again_comes_back() -> None:
    changes = compare(FolderListing("", [A]), {"a.jpg": Known(A, 7, is_missing=True)})
    assert [one.asset_id for one in changes.back] == [7]
    assert (changes.unchanged, changes.gone) == ([A], [])


def test_only_what_the_user_wanted_is_broken() -> None:
    left_out = [
        LeftOut("", "x", "junk"),
        LeftOut("", "y", "gone", ErrorClass.MISSING),
        LeftOut("", "z", "permission denied", ErrorClass.AUTH),
    ]
    walked = FolderListing("", left_out=left_out)
    assert [one.name for one in broken(walked)] == ["z"]
    listed = FolderListing("", left_out=left_out, is_exhaustive=False, is_named=True)
    assert [one.name for one in broken(listed)] == ["y", "z"]


rows = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2), max_size=6)


@given(rows, rows, st.sets(st.sampled_from("abcdef")))
def test_every_name_comes_to_exactly_one_end(
    now: dict[str, int], before: dict[str, int], missing: set[str]
) -> None:
    recorded = {
        name: Known((name, size, 0, 0, 0), is_missing=name in missing)
        for name, size in before.items()
    }
    listing = FolderListing("", [(name, size, 0, 0, 0) for name, size in sorted(now.items())])
    changes = compare(listing, recorded)
    named = [row[0] for row in changes.new + changes.unchanged]
    named += [row[0] for _, row in changes.changed]
    assert sorted(named) == sorted(now)
    gone = {known.file[0] for known in changes.gone}
    assert gone == {name for name in before if name not in now and name not in missing}
