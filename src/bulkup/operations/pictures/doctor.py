"""The checks of `doctor` for pictures: decoders, space for downloads, the embedder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from bulkup.errors import BulkupError
from bulkup.installation import extra_command, install_command
from bulkup.operations.doctor import CheckResult, check_disk

if TYPE_CHECKING:
    from bulkup.settings.table import Settings


class _Decoder(NamedTuple):
    """A module that decodes, and the extra of bulkup that installs it; None: always installed."""

    kind: str
    module: str
    extra: str | None
    without: str


_DECODERS = (
    _Decoder("HEIC", "pillow_heif", None, "HEIC pictures cannot be processed"),
    _Decoder("AVIF", "PIL._avif", None, "AVIF pictures cannot be processed"),
    _Decoder("raw pictures", "rawpy", "raw", "those without a preview that is simple to find are"),
    _Decoder("videos", "av", "video", "videos are"),
)


def check_pictures(settings: Settings) -> Iterator[CheckResult]:
    """All of them. Decoders are loaded, so that a broken library is found. No request is made."""
    for decoder in _DECODERS:
        yield _check_decoder(decoder)
    yield check_disk("machine", "", tempfile.gettempdir(), subject="downloads")
    yield _check_embedder(settings)


def _check_decoder(decoder: _Decoder) -> CheckResult:
    reason = _import_error(decoder.module)
    if reason is None:
        return CheckResult("machine", "", decoder.kind, "ok", "can be decoded")
    if decoder.extra is None:
        hint = install_command("pillow", "pillow-heif", again=True)
        found = f"{decoder.without}: {reason}"
        return CheckResult("machine", "", decoder.kind, "warning", found, hint)
    hint = extra_command(decoder.extra)
    if find_spec(decoder.module) is None:
        found = f"{decoder.without} skipped (the extra {decoder.extra} is not installed)"
        return CheckResult("machine", "", decoder.kind, "ok", found, hint)
    found = f"{decoder.without} skipped: {reason}"
    return CheckResult("machine", "", decoder.kind, "warning", found, hint)


def _import_error(module: str) -> str | None:
    """Why a module cannot be loaded; None when it can."""
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001 - a library built for another numpy: ValueError
        return str(error) or type(error).__name__
    return None


def _check_embedder(settings: Settings) -> CheckResult:
    """Whether pictures can be embedded. A service gets no request."""
    try:
        found = _embedder(settings)
    except BulkupError as error:
        return CheckResult("machine", "", "embedder", "warning", str(error), error.hint)
    return CheckResult("machine", "", "embedder", "ok", f"{settings.run.embed.model}: {found}")


def _embedder(settings: Settings) -> str:
    """What is installed or configured. Raises BulkupError."""
    from bulkup.errors import EmbedderUnusable, UsageError

    options = settings.run.embed
    if options.model == "efficientnet-lite0":
        from bulkup.embed.efficientnet import Network

        Network()
        return "is installed"
    if options.model == "clip":
        if find_spec("fastembed") is None:
            raise EmbedderUnusable("clip is not installed", hint=extra_command("clip"))
        return "is installed; its first use may download it"
    if options.model != "http":
        from bulkup.embed.open import folder_of
        from bulkup.embed.two_towers.folder import read_card

        return f"{read_card(folder_of(options)).version} is there"
    if not options.url or not options.remote_model:
        raise UsageError(
            "the embedder http lacks its URL or its model",
            hint="Write url and remote_model under [embed] in bulkup.toml.",
        )
    # Only the host: a URL may hold a password.
    return f"{options.remote_model} at {urlsplit(options.url).hostname} (not asked)"
