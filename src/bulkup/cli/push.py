"""bulkup push: uploads, processes and embeds files."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import PUSH, RUN, SELECTION
from bulkup.cli.shared_options import DryRunOption, Flags, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkup.events import Summary

EXAMPLE = "Example: bulkup push ./photos --to s3://bucket/photos --exclude 'drafts/'"
SETTINGS = (*SELECTION, "push.newer_than", "push.older_than", "push.files_from", *PUSH, *RUN)


def run(
    flags: Flags,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="Directories, files or archives (ZIP, tar, tgz)."),
    ],
    dry_run: DryRunOption = False,
) -> None:
    """Upload folders of pictures; each unique file is uploaded once."""
    settings = flags.settings()
    _explain_patterns(settings.upload.include)
    from bulkup.operations.push import PushRun, plan_of

    push = plan_of(settings, paths, cwd=os.getcwd(), now=time.time())
    if dry_run:
        from bulkup.cli.dry_run import show_plan

        sys.exit(show_plan(push, settings))
    sys.exit(
        run_to_end(
            partial(PushRun, push),
            settings,
            uploads="upload" in settings.upload.stages,
            summaries=(partial(_in_lines, push.roots), partial(_in_line, push.roots)),
        )
    )


def _in_lines(roots: Sequence[str], summary: Summary) -> list[str]:
    from bulkup.cli.output.summary import summary_lines  # at the end: a start does without

    return summary_lines(summary, pushed=roots)


def _in_line(roots: Sequence[str], summary: Summary) -> str:
    from bulkup.cli.output.summary import summary_line

    return summary_line(summary, pushed=roots)


def _explain_patterns(include: tuple[str, ...]) -> None:
    """Warn of patterns that are meant as extensions."""
    if not include:
        return
    from bulkup.content.extensions import PICTURE_TYPES, RAW_TYPES, VIDEO_TYPES

    for pattern in include:
        extension = pattern.removeprefix(".").lower()
        if extension in PICTURE_TYPES or extension in RAW_TYPES or extension in VIDEO_TYPES:
            warn(f"--include {pattern} takes files of this name; for the type: '*.{extension}'")
