"""bulkup doctor: checks the setup and says how to fix it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.run_options import S3
from bulkup.cli.shared_options import Flags
from bulkup.errors import BulkupError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bulkup.manifest.destinations import Destination
    from bulkup.operations.doctor import CheckResult
    from bulkup.settings.table import Settings
    from bulkup.stores.store import PartStore

EXAMPLE = """The capabilities of an endpoint are remembered after the first push. Before that,
doctor stores a few bytes under PREFIX/.bulkup/doctor-<random> and deletes them again.

Example: bulkup doctor --to s3://bucket/photos"""
SETTINGS = ("push.to", "cluster.engine", "cluster.sign", *S3)


def run(
    flags: Flags,
    cors: Annotated[
        bool,
        typer.Option("--cors", help="Check uploads by URL too, and the bucket's CORS rules."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """Check this machine, the manifest and the destinations.

    Decoders, embedder, manifest, disk, clock, and access to each destination; with a way to fix
    each problem.
    """
    from bulkup.run.descriptors import ensure_descriptors

    ensure_descriptors()
    settings = flags.settings()
    findings = []
    for finding in _examine(settings, cors=cors):
        findings.append(finding)
        if not (json or (settings.quiet and finding.level == "ok")):
            _print(finding)
    if json:
        from bulkup.cli.output.rows import print_json

        print_json(finding.as_json() for finding in findings)
    failed = {finding.part for finding in findings if finding.level == "failed"}
    if failed & {"machine", "manifest"}:
        raise typer.Exit(ExitCode.MANIFEST)
    if failed & {"destination", "engine"}:
        raise typer.Exit(ExitCode.DESTINATION)


def _examine(settings: Settings, *, cors: bool) -> Iterator[CheckResult]:
    from bulkup.operations.doctor import check_environment, check_machine, check_manifest
    from bulkup.operations.pictures.doctor import check_pictures

    yield from check_machine()
    yield from check_environment(os.environ)
    yield from check_pictures(settings)
    yield from check_manifest(settings.manifest)
    yield from _examine_destinations(settings, cors=cors)
    yield from _examine_engine(settings)


def _examine_engine(settings: Settings) -> Iterator[CheckResult]:
    """Check the workers of `--engine`, for all destinations that were reached."""
    from bulkup.run.work.cluster import LOCAL

    if settings.run.engine == LOCAL:
        return
    import asyncio
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.errors import ManifestError
    from bulkup.manifest.reader import Reader
    from bulkup.operations.checks.engine import check_engine

    try:
        with Reader(settings.manifest) as reader:
            known = [one for one in reader.destinations.all() if one.is_reached]
    except ManifestError:
        known = []  # reported by check_manifest
    yield from asyncio.run(check_engine(settings.run, known, SystemClock(), Random()))


def _examine_destinations(settings: Settings, *, cors: bool) -> Iterator[CheckResult]:
    """Check each destination in its own event loop, so that results appear one by one."""
    import asyncio

    from bulkup.clock import SystemClock
    from bulkup.operations.doctor import CheckResult, check_destination

    clock = SystemClock()
    origins = _origins(settings) if cors else ()

    async def examine(store: PartStore, is_default: bool) -> list[CheckResult]:
        try:
            checks = check_destination(store, is_default=is_default, clock=clock, origins=origins)
            return [finding async for finding in checks]
        finally:
            await store.close()

    for url, is_default, opened in _stores(settings):
        if isinstance(opened, BulkupError):
            yield CheckResult("destination", url, "destination", "failed", str(opened), opened.hint)
        else:
            yield from asyncio.run(examine(opened, is_default))


def _origins(settings: Settings) -> tuple[str, ...]:
    """Where the pages of `bulkup serve` come from, by the settings."""
    options = settings.serve
    host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host  # noqa: S104 - only compared
    return (f"http://{host}:{options.port}", *(f"https://{name}" for name in options.hosts))


def _stores(settings: Settings) -> Iterator[tuple[str, bool, PartStore | BulkupError]]:
    """(URL, whether it is the default local store, the store or the error of opening it)."""
    from bulkup.errors import ManifestError
    from bulkup.manifest.reader import Reader
    from bulkup.operations.destination.endpoints import choose_endpoint
    from bulkup.run.open_destination import open_known
    from bulkup.stores.urls import canonical

    default = settings.upload.default_to
    try:
        with Reader(settings.manifest) as reader:
            known = reader.destinations.all()
    except ManifestError:
        known = []  # reported by check_manifest
    reached = [one for one in known if one.is_reached]
    rows: Sequence[tuple[str, Destination | None]] = [(one.url, one) for one in reached or known]
    if settings.upload.to:
        url = canonical(settings.upload.to)
        endpoint_url = choose_endpoint(url, known, settings.run, os.environ)
        here = [one for one in known if (one.url, one.endpoint_url) == (url, endpoint_url)]
        rows = [(url, here[0] if here else None)]
    for url, row in rows or [(default, None)]:
        try:
            yield url, url == default, open_known(url, row, settings.run, os.environ)
        except BulkupError as error:
            yield url, url == default, error


def _print(finding: CheckResult) -> None:
    from bulkup.cli.output.text import print_folded

    where = f"{finding.of}: " if finding.of else ""
    hint = f"\n{'':8}{finding.hint}" if finding.hint else ""
    found = finding.found.replace("\n", "\\n")
    print_folded(f"{finding.level:<8}{where}{finding.subject}: {found}{hint}", sys.stdout)
    sys.stdout.flush()
