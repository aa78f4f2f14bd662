"""/picture/DIGEST: one picture, and all that is known of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from bulkup.manifest.gallery.pages import GalleryRow
from bulkup.manifest.server import ServerReader
from bulkup.model import Digest
from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.pages.gallery import text_of
from bulkup.serve.pages.templates import page
from bulkup.serve.routes.files import content_document
from bulkup.serve.routes.parameters import digest_in

LABELS = (
    ("taken_at", "Taken"),
    ("title", "Title"),
    ("description", "Description"),
    ("camera", "Camera"),
    ("lens", "Lens"),
    ("exposure_seconds", "Exposure"),
    ("f_number", "Aperture"),
    ("iso", "ISO"),
    ("focal_length_mm", "Focal length"),
    ("rating", "Rating"),
    ("keywords", "Keywords"),
)


class Shown(NamedTuple):
    """A picture between its neighbours in the timeline."""

    document: dict[str, Any]
    row: GalleryRow
    newer: GalleryRow | None
    older: GalleryRow | None
    partners: list[GalleryRow]


async def picture(request: Request) -> Response:
    digest = digest_in(request)
    shown = await context_of(request).manifest.read(lambda reader: _shown(reader, digest))
    return page(
        request,
        "picture.html",
        picture=shown.document,
        row=shown.row,
        newer=shown.newer,
        older=shown.older,
        partners=shown.partners,
        place=text_of((shown.row.taken_at, shown.row.content_id + 1)),
        facts=facts_of(shown.document["facts"]),
    )


def _shown(reader: ServerReader, digest: Digest) -> Shown:
    document = content_document(reader, digest)
    content = reader.contents.find(digest)
    assert content is not None
    (row,) = reader.gallery.of_contents([content.id])
    newer, older = reader.gallery.newer(row.place, 1), reader.gallery.older(row.place, 1)
    partners = reader.gallery.partners(content.id)
    return Shown(document, row, newer[0] if newer else None, older[0] if older else None, partners)


def facts_of(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What a picture says of itself, as people read it."""
    return [(label, _value(name, facts[name])) for name, label in LABELS if name in facts]


def _value(name: str, value: Any) -> str:
    if name == "taken_at":
        return str(value)[:19].replace("T", " ")
    if name == "exposure_seconds":
        return f"1/{1 / value:.0f} s" if 0 < value < 0.4 else f"{value:g} s"
    if name == "f_number":
        return f"f/{value:g}"
    if name == "focal_length_mm":
        return f"{value:g} mm"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


ROUTES = (route("/picture/{digest}", picture),)
