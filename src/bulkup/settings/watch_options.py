"""How a watch waits: frozen values that `load` makes."""

from __future__ import annotations

from dataclasses import dataclass

from bulkup.settings import parsing as kinds
from bulkup.settings.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WatchOptions:
    """When files are pushed, and when folders are scanned."""

    # Cameras, browsers and copying tools write in steps that are seconds apart.
    rest_seconds: float = setting(
        "watch.rest",
        kinds.SPAN,
        "Push a file when it has not changed for this long and nobody has it open for writing.",
        default="5s",
    )
    # Network mounts send no events of what other machines change.
    poll_seconds: float | None = setting(
        "watch.poll",
        kinds.SPAN,
        "Instead of waiting for events, scan this often (by default only network mounts, every "
        "minute).",
        example="5m",
    )
    # Events may be lost; a scan of a million unchanged files takes seconds.
    rescan_seconds: float = setting(
        "watch.rescan",
        kinds.SPAN,
        "Scan everything this often, in case an event was lost.",
        flag=False,
        env="BULKUP_WATCH_RESCAN",
        default="6h",
    )
