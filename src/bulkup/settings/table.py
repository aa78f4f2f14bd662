"""The settings of one call of bulkup, in groups, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bulkup.settings import parsing as kinds
from bulkup.settings.copy_options import ManifestCopyOptions
from bulkup.settings.options import RunOptions, UploadOptions
from bulkup.settings.serve_options import ServeOptions
from bulkup.settings.setting import Leaf, SettingRow, group, leaves, setting
from bulkup.settings.watch_options import WatchOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TABLES = (
    "",
    "manifest",
    "push",
    "s3",
    "process",
    "embed",
    "cluster",
    "claims",
    "notify",
    "serve",
    "watch",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WebhookOptions:
    """Which messages about a run are sent, and where."""

    # Often a secret, which a flag would show to everybody who may list processes.
    url: str | None = setting(
        "notify.webhook",
        kinds.WEB_URL,
        "POST messages about runs to this URL, as JSON.",
        flag=False,
        example="https://hooks.example.org/bulkup",
    )
    # Silence would otherwise mean both "all is well" and "cron is off".
    on: Literal["always", "failure", "never"] = setting(
        "notify.on",
        kinds.NOTIFY_ON,
        "When to report the end of a run; with never, nothing is sent at all.",
        flag=False,
        default="always",
    )
    # A few bad files are usual; more than that is a bad disk or a bad key.
    failure_rate: float = setting(
        "notify.failure_rate",
        kinds.SHARE,
        "Send one message during a run when a larger share of at least 20 items has failed.",
        flag=False,
        default="10%",
    )
    every: int | None = setting(
        "notify.every",
        kinds.COUNT,
        "Send a message during a run after every so many failures.",
        flag=False,
        example=100,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settings:
    """Every setting, checked. Paths are absolute; None means that nothing was given."""

    manifest: str = setting(
        "manifest.path",  # also `manifest = "…"`
        kinds.PATH,
        "The manifest file; manifest.db in `home` by default.",
        env="BULKUP_MANIFEST",
        flag="manifest",
        example="~/photos.db",
    )
    home: str = setting(
        "home",
        kinds.PATH,
        "Where bulkup keeps its own files; the user's data directory by default.",
        flag=False,
        example="~/.bulkup",
    )
    quiet: bool = setting("quiet", kinds.TRUTH, "Print errors only.", default=False)
    verbose: bool = setting("verbose", kinds.TRUTH, "Print a line per file.", default=False)
    log_file: str | None = setting(
        "log_file",
        kinds.PATH,
        "Append the events of runs to this file as JSON lines.",
        example="bulkup.jsonl",
    )
    upload: UploadOptions = group(UploadOptions)
    run: RunOptions = group(RunOptions)
    manifest_copy: ManifestCopyOptions = group(ManifestCopyOptions)
    watch: WatchOptions = group(WatchOptions)
    metrics_file: str | None = setting(
        "push.metrics_file",
        kinds.PATH,
        "Keep metrics in this file for Prometheus' node exporter.",
        example="/var/lib/node_exporter/bulkup.prom",
    )
    stats_seconds: float | None = setting(
        "push.stats",
        kinds.SPAN_OR_NEVER,
        "Without a terminal, print a line of progress this often; never: no such lines.",
        default="1m",
    )
    json: bool = setting(
        "push.json", kinds.TRUTH, "Print events to standard output as JSON lines.", default=False
    )
    webhook: WebhookOptions = group(WebhookOptions)
    serve: ServeOptions = group(ServeOptions)


LEAVES: Mapping[str, Leaf] = {leaf.row.key: leaf for leaf in leaves(Settings)}
"""Every setting by its key."""


def describe() -> Iterator[SettingRow]:
    """Every setting, by the tables of bulkup.toml: first those without one."""
    rows = [leaf.row for leaf in LEAVES.values()]
    yield from sorted(rows, key=lambda row: TABLES.index(row.key.rpartition(".")[0]))


def nearest_key(key: str) -> str:
    """The most similar known key; its own name counts more than its table's."""
    from difflib import SequenceMatcher

    def likeness(known: str) -> tuple[float, float]:
        name = key.rpartition(".")[2].replace("-", "_").lower()
        by_name = SequenceMatcher(None, name, known.rpartition(".")[2]).ratio()
        return by_name, SequenceMatcher(None, key, known).ratio()

    nearest: str = max((*LEAVES, "manifest"), key=likeness)
    return nearest
