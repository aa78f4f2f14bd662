"""`merge`: joins the manifests of other machines to this one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from bulkup.errors import UsageError
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.merge.other import check_other
from bulkup.manifest.merge.report import MergeReport
from bulkup.run.heartbeat import here, machine_of

_MACHINE = re.compile(r"[\w][\w.-]*")


def merge(
    manifest: Manifest, others: Sequence[str], *, host: str | None = None
) -> Iterator[tuple[str, MergeReport]]:
    """Join the manifests at these paths, one after the other; each with what came of it.

    `host` names the machine that the only one of `others` is from. Raises UsageError before
    anything is changed, and ManifestError.
    """
    if host is not None and len(others) > 1:
        raise UsageError("--host names the machine of one manifest: merge the others on their own")
    if host is not None and not _MACHINE.fullmatch(host):
        raise UsageError(
            f"--host {host!r} is no name of a machine",
            hint="Folders are called HOST:PATH: write letters, digits, dots, dashes, underscores.",
        )
    for path in others:
        if not os.path.isfile(path):
            raise UsageError(f"there is no manifest {path}")
        if os.path.samefile(path, manifest.path):
            raise UsageError(f"{path} is this machine's own manifest")
        check_other(path)
    for path in others:
        yield path, manifest.merge.take_in(path, here=machine_of(here().host), host=host)
