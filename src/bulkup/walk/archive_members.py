"""The members of an archive as listings, selected by the same rules as files on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.content.archive import members, open_member
from bulkup.content.archive_names import ArchiveMember, RefusedMember, is_tar_name
from bulkup.content.media import HEAD_BYTES, is_media_head
from bulkup.errors import ErrorClass, SourceError
from bulkup.model import LeftOut
from bulkup.walk.filters import NO_IGNORES, NO_MEDIA, Ignores, Rules
from bulkup.walk.listing import CHUNK_NAMES, Draft, FolderListing, in_order, unread

if TYPE_CHECKING:
    from collections.abc import Iterator


def archive_listings(
    disk_path: str, archive: str, rules: Rules, ignores: Ignores = NO_IGNORES
) -> Iterator[FolderListing]:
    """Listings of the archive at `disk_path`, whose path under the root is `archive`.

    Their folder is `archive` and '#'; the names are the members' paths, in the order of
    `in_order`. A refused member is left out with class `invalid`, unless a rule leaves it out. A
    broken archive gives one listing, which leaves out the archive itself.
    """
    folder = f"{archive}#"
    try:
        found = {one.name: one for one in members(disk_path)}
    except SourceError as error:
        reason = str(error).removeprefix(f"{disk_path}: ")
        yield unread(folder, reason, error.error_class)
        return
    names = in_order(list(found))
    # A tar archive is one listing, so that what is new in it is read in the archive's own order.
    most = max(1, len(names)) if is_tar_name(archive) else CHUNK_NAMES
    for start in range(0, len(names) or 1, most):
        chunk = names[start : start + most]
        draft = Draft()
        for name in chunk:
            _add(draft, disk_path, archive, found[name], rules, ignores)
        yield FolderListing(
            folder=folder,
            files=draft.files,
            left_out=draft.left_out,
            after=names[start - 1] if start else None,
            upto=chunk[-1] if start + most < len(names) else None,
        )


def _add(
    draft: Draft,
    disk_path: str,
    archive: str,
    one: ArchiveMember | RefusedMember,
    rules: Rules,
    ignores: Ignores,
) -> None:
    folder = f"{archive}#"
    reason = _why_not(archive, one, rules, ignores)
    if reason is not None:
        draft.left_out.append(LeftOut(folder, one.name, reason))
        return
    if isinstance(one, RefusedMember):
        draft.left_out.append(LeftOut(folder, one.name, one.reason, ErrorClass.INVALID))
        return
    if rules.is_wanted_kind(one.name) is None:
        try:
            with open_member(disk_path, one.name) as source:
                is_media = is_media_head(source.read(HEAD_BYTES))
        except SourceError as error:
            reason = str(error).removeprefix(f"{disk_path}#{one.name}: ")
            draft.left_out.append(LeftOut(folder, one.name, reason, error.error_class))
            return
        if not is_media:
            draft.left_out.append(LeftOut(folder, one.name, NO_MEDIA))
            return
    stat = one.stat
    draft.files.append((one.name, stat.size_bytes, stat.modified_ns, stat.inode, stat.changed_ns))


def _why_not(
    archive: str, one: ArchiveMember | RefusedMember, rules: Rules, ignores: Ignores
) -> str | None:
    """Why the rules leave the member out, without regard to its bytes, or None."""
    last = one.name.replace("\\", "/").rpartition("/")[2]  # also of the refused `..\\a.jpg`
    path = f"{archive}/{one.name}"
    reason = rules.why_not_name(last)
    if reason is None and isinstance(one, ArchiveMember):  # '..' in a refused name is not "hidden"
        reason = rules.why_not_above(one.name)
    if reason is None:
        reason = rules.why_filtered(path, ignores)
    if reason is None and rules.is_wanted_kind(last) is False:
        reason = NO_MEDIA
    if reason is None and isinstance(one, ArchiveMember):
        reason = rules.why_not_stat(one.stat.size_bytes, one.stat.modified_ns)
    return reason
