"""Verifies several destinations, one after the other."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Protocol

from bulkup.api.options import LOG
from bulkup.api.results import VerifyFinding
from bulkup.clock import SystemClock
from bulkup.errors import BulkupError, ExitCode
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.operations.checks.objects import Depth, parse_sample
from bulkup.operations.checks.session import ReadSession
from bulkup.operations.destination.chosen import chosen_destinations
from bulkup.operations.verify import Discrepancy, VerifyCounts, verify

if TYPE_CHECKING:
    from bulkup.manifest.destinations import Destination
    from bulkup.settings.table import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Which destinations are verified, and how far."""

    to: str | None = None  # only this one
    roots: Sequence[str] = ()  # absolute paths: only their destinations
    depth: Depth


class VerifyReport(Protocol):
    """The events while destinations are verified."""

    def found(self, destination: Destination, one: Discrepancy) -> None:
        """A discrepancy."""

    def checked(self, destination: Destination, counts: VerifyCounts) -> None:
        """A destination has been compared."""

    def refused(self, destination: Destination, error: BulkupError) -> None:
        """A destination could not be compared."""


def depth_of(*, deep: bool, sample: str | None, seed: int | None) -> Depth:
    """How many objects are read. Without a seed the sample is another each time."""
    if sample is not None:
        return parse_sample(sample, secrets.randbits(32) if seed is None else seed)
    return Depth(share=1.0 if deep else 0.0)


async def verify_destinations(
    request: VerifyRequest, settings: Settings, report: VerifyReport
) -> None:
    """Compare the manifest with each destination. Raises UsageError and ManifestError."""
    with Reader(settings.manifest) as reader:
        if not reader.exists:
            return
    clock, random = SystemClock(), Random()
    with Manifest(settings.manifest) as manifest:
        chosen = chosen_destinations(
            manifest.destinations,
            to=request.to,
            endpoint_url=settings.run.endpoint_url,
            roots=request.roots,
        )
        for destination in chosen:
            session = ReadSession(manifest, settings.run, os.environ, clock, random)
            try:
                counts = await verify(
                    session, destination, request.depth, partial(report.found, destination)
                )
            except BulkupError as error:
                if error.exit_code != ExitCode.DESTINATION:
                    raise
                report.refused(destination, error)
            else:
                report.checked(destination, counts)


class Findings:
    """Collects what a verification finds, and the first destination's error."""

    def __init__(self) -> None:
        self.found_so_far: list[VerifyFinding] = []
        self.error: BulkupError | None = None

    def found(self, destination: Destination, one: Discrepancy) -> None:
        self.found_so_far.append(
            VerifyFinding(destination.url, one.key, one.finding, one.detail, one.paths, one.variant)
        )

    def checked(self, destination: Destination, counts: VerifyCounts) -> None:
        LOG.info("%s: %d objects checked", destination.url, counts.objects)

    def refused(self, destination: Destination, error: BulkupError) -> None:
        LOG.warning("%s: %s", destination.url, error)
        self.error = self.error or error
