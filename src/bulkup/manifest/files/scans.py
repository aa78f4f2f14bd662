"""Roots, folders and assets: what a scan reads from the manifest and writes into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bulkup.manifest.database.counts import count_assets, count_items
from bulkup.manifest.database.sql import Statements, execute_rows
from bulkup.manifest.files import absent_files
from bulkup.manifest.files.scan_rows import Folder, RecordedScan, ScanScope
from bulkup.manifest.files.unchanged_files import join_batch
from bulkup.manifest.queue.release import forget_copies, release_content
from bulkup.manifest.rows import File, Known, WorkItem, from_sql, to_sql


class Scans(Statements):
    """The assets of all roots."""

    # Reading ------------------------------------------------------------------------------

    def folder_id(self, root_id: int, folder: str) -> int | None:
        """The folder's id; None when no asset in it was ever recorded."""
        found: int | None = self._value(
            "SELECT id FROM folder WHERE root_id = ? AND path = ?", root_id, to_sql(folder)
        )
        return found

    def files(self, folder_id: int, after: str | None, upto: str | None) -> list[File]:
        """The folder's present assets with after < name <= upto, by the names' bytes.

        They are plain tuples, equal to the walk's own when nothing changed: to compare the two
        lists costs nothing beside reading them.
        """
        limits, names = _range(after, upto)
        return self._db.execute(
            "SELECT name, size_bytes, modified_ns, inode, changed_ns FROM asset "
            f"WHERE folder_id = ? {limits} AND missing_at IS NULL ORDER BY name",
            (folder_id, *names),
        ).fetchall()

    def known(self, folder_id: int, after: str | None, upto: str | None) -> list[Known]:
        """All assets of the folder with after < name <= upto, missing ones included."""
        limits, names = _range(after, upto)
        rows = self._db.execute(
            "SELECT name, size_bytes, modified_ns, inode, changed_ns, id, content_id, "
            f"missing_at IS NOT NULL FROM asset WHERE folder_id = ? {limits} ORDER BY name",
            (folder_id, *names),
        )
        return [Known(File(from_sql(r[0]), *r[1:5]), r[5], r[6], bool(r[7])) for r in rows]

    def folders(self, root_id: int) -> Iterator[tuple[int, str]]:
        """All folders of the root that hold assets not yet known to be missing."""
        rows = self._db.execute(
            "SELECT id, path FROM folder WHERE root_id = ? AND EXISTS "
            "(SELECT 1 FROM asset WHERE folder_id = folder.id AND missing_at IS NULL)",
            (root_id,),
        )
        for folder_id, path in rows:
            yield folder_id, from_sql(path)

    def has_files(self, root_id: int, count: int) -> bool:
        """Whether at least so many files of the root were there when it was last scanned."""
        found = self._value(
            "SELECT count(*) FROM (SELECT 1 FROM folder JOIN asset ON folder_id = folder.id "
            "WHERE root_id = ? AND missing_at IS NULL LIMIT ?)",
            *(root_id, count),
        )
        return bool(found == count)

    def has_notes(self) -> bool:
        """Whether JSON files of a Takeout were ever read."""
        return bool(self._value("SELECT EXISTS (SELECT 1 FROM takeout_note)"))

    def notes_are_joined(self) -> bool:
        """Whether they were joined since files last turned out to be equal to others."""
        return bool(self._value("SELECT changes = joined FROM takeout_join"))

    def unopened(self, root_id: int) -> dict[str, Known]:
        """Assets that stand for a folder or an archive that could not be opened, by path."""
        rows = self._db.execute(
            "SELECT folder.path, asset.name, asset.id, asset.content_id FROM item "
            "JOIN asset ON asset.content_id = item.content_id AND is_unreadable "
            "JOIN folder ON folder.id = asset.folder_id AND root_id = ? "
            "WHERE item.state IN ('waiting', 'dead') AND item.stage = 'upload'",
            (root_id,),
        )
        return {
            from_sql(folder) + from_sql(name): Known(
                File(from_sql(name), 0, 0, 0, 0), asset_id, content_id, is_missing=False
            )
            for folder, name, asset_id, content_id in rows
            if not from_sql(folder).endswith("#")
        }

    # Writing ------------------------------------------------------------------------------

    def record(
        self, scope: ScanScope, find: Callable[[], Sequence[Folder]], *, now: float, hand_over: int
    ) -> RecordedScan:
        """Write what the scan found, in one transaction.

        `find` is called within it: another run may be scanning the same folders, and what `find`
        reads here must still hold when its result is written.
        The first `hand_over` new or changed files are claimed for the run at once and returned;
        the others are `ready` for whichever run claims first. Pending items of unchanged files
        join this batch, and get an item where the destination is new to them.
        """
        works: list[WorkItem] = []
        joined: list[int] = []
        duplicates: list[int] = []
        with self._transaction():
            for folder in find():
                folder_id = self._add_folder(scope.root_id, folder.path)
                absent_files.mark_missing(self._db, folder.gone, now)
                absent_files.forget_failed(
                    self._db, [known.asset_id for known in folder.excluded], now
                )
                absent_files.mark_present(self._db, folder.back)
                linked = join_batch(self._db, scope, folder_id, folder.unchanged)
                for size, is_joined in linked:
                    (joined if is_joined else duplicates).append(size)
                works += self._add(scope, folder_id, folder, hand_over - len(works))
                works += self._change(scope, folder, hand_over - len(works))
                for one in folder.unreadable:
                    absent_files.mark_unreadable(
                        self._db,
                        self._add_folder(scope.root_id, one.folder),
                        one,
                        destination_id=scope.destination_id,
                        batch_id=scope.batch_id,
                        now=now,
                    )
        return RecordedScan(works, len(joined), sum(joined), len(duplicates), sum(duplicates))

    def end_walk(
        self,
        scope: ScanScope,
        missing_folders: Sequence[int],
        excluded_folders: Sequence[int],
        lost: Sequence[Known],
        *,
        now: float,
    ) -> int:
        """The whole root has been scanned; returns how many more assets are missing.

        `lost` are those of folders and archives that could not be opened and have gone since.
        `excluded_folders` are there, and were not entered.
        """
        with self._transaction():
            absent_files.mark_missing(self._db, lost, now)
            absent_files.forget_failed(
                self._db,
                [k.asset_id for f in excluded_folders for k in self.known(f, None, None)],
                now,
            )
            gone = absent_files.mark_folders_missing(self._db, missing_folders, now)
            self._db.execute(
                "UPDATE root SET walked_at = ?, destination_id = ? WHERE id = ?",
                (now, scope.destination_id, scope.root_id),
            )
            self._end(scope, now)
        return gone

    def mark_folders_missing(self, folders: Sequence[int], *, now: float) -> int:
        """All files of the folders are missing; returns how many more are."""
        with self._transaction():
            return absent_files.mark_folders_missing(self._db, folders, now)

    def end_part(self, scope: ScanScope, lost: Sequence[Known] = (), *, now: float) -> None:
        """The batch has scanned all that it wanted of the root, which was not the whole of it.

        `lost` is what could not be opened, and is neither there nor wanted now.
        """
        with self._transaction():
            absent_files.mark_missing(self._db, lost, now)
            self._end(scope, now)

    def _end(self, scope: ScanScope, now: float) -> None:
        self._db.execute(
            "UPDATE batch_root SET walked_at = ? WHERE batch_id = ? AND root_id = ?",
            (now, scope.batch_id, scope.root_id),
        )

    def _add_folder(self, root_id: int, path: str) -> int:
        found = self.folder_id(root_id, path)
        if found is not None:
            return found
        return self._insert(
            "INSERT INTO folder (root_id, path) VALUES (?, ?)", root_id, to_sql(path)
        )

    def newest_item(self) -> int:
        """The highest id that an item has or had."""
        return self._next_id("item") - 1

    def _next_id(self, table: str) -> int:
        """The id that the table would give the next row: for content and item a fresh one."""
        last = self._value("SELECT seq FROM sqlite_sequence WHERE name = ?", table) or self._value(
            f"SELECT max(id) FROM {table}"
        )
        return (last or 0) + 1

    def _add(
        self, scope: ScanScope, folder_id: int, folder: Folder, hand_over: int
    ) -> list[WorkItem]:
        """New files: an asset, an unread content and an upload item each."""
        if not folder.new:
            return []
        asset, content, item = (self._next_id(t) for t in ("asset", "content", "item"))
        sizes = [file.size_bytes for file in folder.new]
        execute_rows(
            self._db,
            "INSERT INTO content (id, size_bytes) VALUES {rows}",
            [(content + i, size_bytes) for i, size_bytes in enumerate(sizes)],
        )
        execute_rows(
            self._db,
            "INSERT INTO asset (id, folder_id, content_id, name, size_bytes, modified_ns, inode, "
            "changed_ns, counted) SELECT column1 + ?, ?, column1, column2, column3, column4, "
            "column5, column6, 1 FROM (VALUES {rows})",
            [
                (content + i, to_sql(name), size_bytes, modified_ns, inode, changed_ns)
                for i, (name, size_bytes, modified_ns, inode, changed_ns) in enumerate(folder.new)
            ],
            before=(asset - content, folder_id),
        )
        count_assets(self._db, sizes)
        mine = max(0, min(hand_over, len(folder.new)))
        self._add_items(scope, item, content, sizes[:mine], "claimed")
        self._add_items(scope, item + mine, content + mine, sizes[mine:], "ready")
        return [
            _claimed(scope, folder, file, item + i, content + i, asset + i)
            for i, file in enumerate(folder.new[:mine])
        ]

    def _add_items(
        self, scope: ScanScope, item: int, content: int, sizes: Sequence[int], state: str
    ) -> None:
        """An upload item for each of the contents from `content` on, whose sizes these are, with
        ids from `item` on."""
        if not sizes:
            return
        self._db.execute(
            "INSERT INTO item (id, content_id, destination_id, stage, state, size_bytes, "
            "batch_id, run_id, counted) "
            "SELECT id + ?, id, ?, 'upload', ?, size_bytes, ?, ?, 1 FROM content "
            "WHERE id >= ? AND id < ?",
            (
                item - content,
                scope.destination_id,
                state,
                scope.batch_id,
                scope.run_id if state == "claimed" else None,
                content,
                content + len(sizes),
            ),
        )
        count_items(self._db, scope.destination_id, "upload", state, sizes)

    def _change(self, scope: ScanScope, folder: Folder, hand_over: int) -> list[WorkItem]:
        """Changed files: a new, unread content each; the old one may lose its last asset."""
        works: list[WorkItem] = []
        for known, file in folder.changed:
            content, item = self._next_id("content"), self._next_id("item")
            state = "claimed" if len(works) < hand_over else "ready"
            self._db.execute(
                "INSERT INTO content (id, size_bytes, replaces) SELECT ?, ?, "
                "CASE WHEN digest IS NULL THEN replaces ELSE id END FROM content WHERE id = ?",
                (content, file.size_bytes, known.content_id),
            )
            self._db.execute(
                "UPDATE asset SET size_bytes = ?, modified_ns = ?, inode = ?, changed_ns = ?, "
                "content_id = ?, missing_at = NULL, is_unreadable = 0 WHERE id = ?",
                (*file[1:5], content, known.asset_id),
            )
            self._add_items(scope, item, content, [file.size_bytes], state)
            forget_copies(self._db, known.asset_id)
            release_content(self._db, known.content_id, keeps_accepted=not known.is_missing)
            if state == "claimed":
                works.append(_claimed(scope, folder, file, item, content, known.asset_id))
        return works


def _claimed(
    scope: ScanScope, folder: Folder, file: File, item: int, content: int, asset: int
) -> WorkItem:
    return WorkItem(
        item, content, asset, scope.root, folder.path, file.name, file.size_bytes, None, 0, 0
    )


def _range(after: str | None, upto: str | None) -> tuple[str, list[str | bytes]]:
    """The conditions for after < name <= upto, and their values."""
    begin = "AND name > ? " if after is not None else ""
    end = "AND name <= ?" if upto is not None else ""
    return begin + end, [to_sql(name) for name in (after, upto) if name is not None]
