"""Whether a worker can do the work of a run: its versions, the model and the destination."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

from bulkup import __version__

PACKAGES: Final = ("pillow", "pillow-heif", "numpy", "onnxruntime")
"""Other versions of these may make other bytes and other vectors."""

DECISIVE: Final = ("bulkup", "embedder")
"""With another one of these a worker can have no work."""


class Comparison(NamedTuple):
    """How a worker differs from the driver, for people; None where it does not."""

    refusal: str | None  # it cannot have any work
    remark: str | None  # what it makes may differ in some bytes


def versions_here() -> dict[str, str]:
    """The versions that driver and workers should have in common."""
    found = {"bulkup": __version__, "python": ".".join(map(str, sys.version_info[:2]))}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def compare(wanted: Mapping[str, str], found: Mapping[str, str]) -> Comparison:
    """Compare a worker's versions, `found`, with the driver's."""
    differ = {name: one for name, one in wanted.items() if found.get(name) != one}
    said = {
        name: f"{name} {found.get(name, 'none')} instead of {one}" for name, one in differ.items()
    }
    refusals = [text for name, text in said.items() if name in DECISIVE]
    remarks = [text for name, text in said.items() if name not in DECISIVE]
    return Comparison(", ".join(refusals) or None, ", ".join(remarks) or None)
