"""bulkup merge: joins the manifests of other machines to this one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkup.cli.shared_options import Flags

if TYPE_CHECKING:
    from bulkup.manifest.merge.report import MergeReport

EXAMPLE = """Folders of another machine are called HOST:PATH from then on. What both manifests know
is compared: this one's version is kept, and what differs is listed. Merging again adds only what is
new.

Example: bulkup merge laptop.db nas.db"""

_NAMES = {
    "content": "unique files",
    "asset": "files",
    "object": "objects",
    "picture": "pictures",
    "embedding": "vectors",
    "album": "albums",
    "run": "runs",
}
_JSON_NAMES = {
    "content": "contents",
    "asset": "assets",
    "object": "objects",
    "item": "items",
    "picture": "pictures",
    "embedding": "embeddings",
    "album": "albums",
    "run": "runs",
}


def run(
    flags: Flags,
    others: Annotated[list[str], typer.Argument(metavar="OTHER.db…", help="Manifests to join.")],
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="NAME",
            help="The machine it is from; by default that of its last run.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """Join the manifests of several machines that push to one bucket."""
    from bulkup.manifest.manifest import Manifest
    from bulkup.operations.merge import merge

    settings = flags.settings()
    shown = []
    with Manifest(settings.manifest) as manifest:
        for path, report in merge(manifest, others, host=host):
            shown.append(_as_json(path, report))
            if not (json or settings.quiet):
                _print(path, report)
    if json:
        from bulkup.cli.output.rows import print_json

        print_json(shown)


def _as_json(path: str, report: MergeReport) -> dict[str, Any]:
    return {
        "manifest": path,
        "host": report.host or None,
        "added": {name: report.added[table] for table, name in _JSON_NAMES.items()},
        "conflicts": [
            {"what": kind, "count": count, "examples": report.examples[kind]}
            for kind, count in report.conflicts.items()
        ],
        "not_read": report.not_read,
    }


def _print(path: str, report: MergeReport) -> None:
    from bulkup.cli.output.text import escape, print_lines

    added = [f"{report.added[table]:,} {name}" for table, name in _NAMES.items()]
    source = f" from {report.host}" if report.host else ""
    lines = [f"{path}{source}: added {', '.join(added)}"]
    for kind, count in report.conflicts.items():
        lines.append(f"  {count:,} {kind}")
        lines += [f"    {one}" for one in report.examples[kind]]
        if count > len(report.examples[kind]):
            lines.append("    …")
    if report.not_read:
        lines.append(f"  {report.not_read:,} files were not read there yet: push them there first")
    print_lines(map(escape, lines), sys.stdout)
