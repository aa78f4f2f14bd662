"""What a search reads: pictures with their metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import Text, from_sql, to_sql
from bulkup.model import Digest


class PictureRow(NamedTuple):
    """A content and the files that have it. `taken_at` is ISO 8601 by the camera's clock."""

    content_id: int
    digest: Digest
    size_bytes: int
    files: tuple[tuple[str, str], ...]  # root and path below it, the first one found first
    first_asset_id: int
    width_px: int | None
    height_px: int | None
    taken_at: str | None
    camera: str | None
    lens: str | None
    latitude: float | None
    longitude: float | None
    perceptual_hash: str | None
    words: str | None  # titles, descriptions and keywords of all files

    @property
    def path(self) -> str:
        """The absolute path of the first file."""
        root, path = self.files[0]
        return f"{root.rstrip('/')}/{path}"


class Placed(NamedTuple):
    """Where a content's object and its smallest variant are; None where the store has none."""

    destination_id: int
    key: str | None
    variant_key: str | None


_ROWS = (
    "SELECT content.id, lower(hex(content.digest)), content.size_bytes, root.path, folder.path, "
    "asset.name, asset.id, width_px, height_px, coalesce(sidecar.taken_at, picture.taken_at), "
    "camera, lens, coalesce(sidecar.latitude, picture.latitude), "
    "coalesce(sidecar.longitude, picture.longitude), perceptual_hash, "
    "coalesce(sidecar.title, picture.title), "
    "coalesce(sidecar.description, picture.description), "
    "coalesce(sidecar.keywords, picture.keywords) FROM {first} "
    "JOIN asset ON asset.content_id = content.id "
    "JOIN folder ON folder.id = asset.folder_id JOIN root ON root.id = folder.root_id "
    "LEFT JOIN sidecar ON sidecar.asset_id = asset.id "
)


class Searchable(Statements):
    """Pictures that can be searched."""

    def data_version(self) -> int:
        """Another number when another connection has changed the manifest since."""
        return int(self._value("PRAGMA data_version"))

    def pairs(self) -> list[tuple[str, str]]:
        """Digests of what is shown, and of what it stands for: the raw picture beside its JPEG, the
        video of a Live Photo, the other pictures of a burst."""
        return self._db.execute(
            "SELECT digest, partner_digest FROM pairs WHERE digest <> partner_digest"
        ).fetchall()

    def embedded(self, embedder_id: int) -> Iterator[PictureRow]:
        """All contents that this embedder has embedded and that a file has, by content."""
        first = (
            "embedding JOIN content ON content.id = embedding.content_id "
            "LEFT JOIN picture ON picture.content_id = content.id"
        )
        return self._pictures(first, "WHERE embedder_id = ?", (embedder_id,))

    def processed(self) -> Iterator[PictureRow]:
        """All pictures that were processed and that a file has, by content."""
        first = "picture JOIN content ON content.id = picture.content_id"
        return self._pictures(first, "", ())

    def _pictures(self, first: str, where: str, values: Sequence[object]) -> Iterator[PictureRow]:
        roots: dict[Text, str] = {}
        folders: dict[Text, str] = {}
        last: tuple[object, ...] | None = None
        files: list[tuple[str, str]] = []
        words: dict[tuple[str | None, ...], None] = {}
        for row in self._db.execute(
            _ROWS.format(first=first) + where + " ORDER BY content.id, asset.id", values
        ):
            if last is not None and row[0] != last[0]:
                yield _picture(last, files, words)
                files, words = [], {}
            if last is None or row[0] != last[0]:
                last = row
            root = roots.get(row[3]) or roots.setdefault(row[3], from_sql(row[3]))
            folder = folders.get(row[4])
            if folder is None:
                folder = folders.setdefault(row[4], from_sql(row[4]))
            files.append((root, folder + from_sql(row[5])))
            words[row[-3:]] = None
        if last is not None:
            yield _picture(last, files, words)

    def placed(self, contents: Iterable[int]) -> dict[int, Placed]:
        """Where each of these contents is stored: at the first destination that has a variant of
        it, else at the first that has the content."""
        found: dict[int, Placed] = {}
        for content_id in contents:
            rows = self._db.execute(
                "SELECT destination_id, key, variant_digest IS NOT NULL FROM object "
                "WHERE content_id = ? AND stored_at IS NOT NULL AND kind <> 'copy' "
                "ORDER BY destination_id, size_bytes",
                (content_id,),
            ).fetchall()
            if not rows:
                continue
            destination_id = next((row[0] for row in rows if row[2]), rows[0][0])
            here = [row for row in rows if row[0] == destination_id]
            found[content_id] = Placed(
                destination_id,
                next((key for _, key, is_variant in here if not is_variant), None),
                next((key for _, key, is_variant in here if is_variant), None),
            )
        return found

    def content_at(self, path: str) -> int | None:
        """The content of the asset with this absolute path; a member's is `archive.zip#name`."""
        for (root,) in self._db.execute("SELECT path FROM root").fetchall():
            prefix = from_sql(root).rstrip("/") + "/"
            if not path.startswith(prefix):
                continue
            below = path[len(prefix) :]
            for cut in _cuts(below):
                row = self._db.execute(
                    "SELECT content_id FROM asset JOIN folder ON folder.id = folder_id "
                    "JOIN root ON root.id = root_id "
                    "WHERE root.path = ? AND folder.path = ? AND name = ?",
                    (root, to_sql(below[:cut]), to_sql(below[cut:])),
                ).fetchone()
                if row is not None and row[0] is not None:
                    return int(row[0])
        return None

    def content_of(self, digest: Digest) -> int | None:
        """The content with this digest."""
        found: int | None = self._value(
            "SELECT id FROM content WHERE digest = ?", bytes.fromhex(digest)
        )
        return found


def _cuts(path: str) -> Iterator[int]:
    """Where a relative path may be cut into folder and name: after its last slash, or after a '#'
    that ends an archive's name."""
    yield path.rfind("/") + 1
    at = path.find("#")
    while at >= 0:
        yield at + 1
        at = path.find("#", at + 1)


def _picture(
    row: tuple[object, ...],
    files: list[tuple[str, str]],
    words: Iterable[tuple[str | None, ...]],
) -> PictureRow:
    """The first file's row; `words` are title, description and JSON array of keywords of each."""
    texts: list[str | None] = []
    for title, description, keywords in words:
        texts += (title, description, *json.loads(keywords or "[]"))
    text = "\n".join(one for one in texts if one)
    return PictureRow._make((*row[:3], tuple(files), *row[6:-3], text or None))
