"""The table of all settings: a field each, with its names, its default and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bulkup.settings import parsing as kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkup.settings.parsing import Kind


class SettingRow(NamedTuple):
    """One setting, for people: the rows of the documentation and of `bulkup init`."""

    key: str  # in bulkup.toml, with its table: push.limit
    env: tuple[str, ...]  # the first that is set wins
    flag: str | None  # None: no flag
    default: object  # as bulkup.toml writes it; '' where there is none
    example: object  # a value worth trying; the default where that is one
    help: str


def _setting(
    key: str,
    kind: Kind,
    help: str,  # noqa: A002  # the word the reader of the table expects
    *,
    default: object = "",
    example: object = None,
    flag: bool | str = True,
    env: str | None = None,
    aws: tuple[str, ...] = (),
) -> Any:
    """A field whose default is written as in bulkup.toml; '' is None, or empty for a collection."""
    name = key.rpartition(".")[2]
    row = SettingRow(
        key=key,
        env=(env or f"BULKUP_{name.upper()}", *aws),
        flag=f"--{(flag if isinstance(flag, str) else name).replace('_', '-')}" if flag else None,
        default=default,
        example=default if example is None else example,
        help=help,
    )
    metadata = {"row": row, "kind": kind}
    if kind is kinds.PAIRS:
        return field(default_factory=dict, metadata=metadata)
    if kind is kinds.TEXTS:
        return field(default=(), metadata=metadata)
    return field(default=None if default == "" else kind.parse(default), metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a run, checked. Paths are absolute; None means that nothing was given."""

    manifest: str = _setting(
        "manifest",
        kinds.PATH,
        "The manifest file; manifest.db in `home` when empty.",
        example="~/photos.db",
    )
    home: str = _setting(
        "home",
        kinds.PATH,
        "Where bulkup keeps its own; the user's data directory when empty.",
        flag=False,
        example="~/.bulkup",
    )
    quiet: bool = _setting(
        "quiet", kinds.TRUTH, "Print no bars, no notices, no summary: errors only.", default=False
    )
    verbose: bool = _setting("verbose", kinds.TRUTH, "Print a line per file.", default=False)
    log_file: str | None = _setting(
        "log_file", kinds.PATH, "Append events to this file as JSON lines.", example="bulkup.jsonl"
    )

    to: str | None = _setting(
        "push.to",
        kinds.PATH,
        "The destination: s3://bucket/prefix or a directory.",
        example="s3://bucket/prefix",
    )
    stages: tuple[str, ...] = _setting(
        "push.stages", kinds.STAGE_LIST, "What to do with the files.", default=list(kinds.STAGES)
    )
    include: tuple[str, ...] = _setting(
        "push.include",
        kinds.TEXTS,
        "Take only files that match one of these (gitignore syntax).",
        default=[],
        example=["*.jpg"],
    )
    exclude: tuple[str, ...] = _setting(
        "push.exclude",
        kinds.TEXTS,
        "Leave out what matches one of these (gitignore syntax).",
        default=[],
        example=["drafts/"],
    )
    # A picture folder is full of databases and settings of other programs.
    all_files: bool = _setting(
        "push.all_files",
        kinds.TRUTH,
        "Take every file, not only pictures, videos and sidecars.",
        default=False,
    )
    # They are caches and trash, nearly always.
    hidden: bool = _setting(
        "push.hidden",
        kinds.TRUTH,
        "Take files and folders whose name begins with a dot.",
        default=False,
    )
    # A link may lead out of the root.
    follow_symlinks: bool = _setting(
        "push.follow_symlinks", kinds.TRUTH, "Go through symbolic links.", default=False
    )
    min_size_bytes: int | None = _setting(
        "push.min_size", kinds.SIZE, "Leave out smaller files.", example="10KiB"
    )
    max_size_bytes: int | None = _setting(
        "push.max_size", kinds.SIZE, "Leave out larger files.", example="2GiB"
    )
    newer_than: str | None = _setting(
        "push.newer_than",
        kinds.TEXT,
        "Leave out files modified before this date or age.",
        example="2026-01-31",
    )
    older_than: str | None = _setting(
        "push.older_than",
        kinds.TEXT,
        "Leave out files modified after this date or age.",
        example="7d",
    )
    files_from: str | None = _setting(
        "push.files_from",
        kinds.PATH,
        "Read paths from this file, one a line; - is standard input.",
        example="paths.txt",
    )
    # People look into their buckets, with other tools too.
    layout: Literal["path", "content"] = _setting(
        "push.layout", kinds.LAYOUT, "Name objects after paths or after digests.", default="path"
    )
    # Skipping costs nothing, and the manifest knows where the content is.
    on_duplicate: Literal["skip", "copy"] = _setting(
        "push.on_duplicate",
        kinds.ON_DUPLICATE,
        "Record a duplicate only, or copy it on the server.",
        default="skip",
    )
    # The adaptive window finds what this link and server can do.
    concurrency: int | Literal["auto"] = _setting(
        "push.concurrency", kinds.CONCURRENCY, "Requests in flight at once.", default="auto"
    )
    max_rate_per_second: float | None = _setting(
        "push.max_rate", kinds.RATE, "Begin at most so many requests per second.", example="100/s"
    )
    bwlimit_bytes_per_second: int | None = _setting(
        "push.bwlimit", kinds.BANDWIDTH, "Send at most so many bytes per second.", example="10M"
    )
    limit: int | None = _setting(
        "push.limit", kinds.COUNT_OR_NONE, "Send so many contents; 0 only walks.", example=1000
    )
    max_duration_seconds: float | None = _setting(
        "push.max_duration", kinds.SPAN, "Stop after this time.", example="10m"
    )
    max_errors: int | None = _setting(
        "push.max_errors", kinds.COUNT, "Stop after so many failed attempts.", example=100
    )
    # Outlasts the first wait of a failed upload (10 s); cron's next run takes the longer ones.
    patience_seconds: float = _setting(
        "push.patience",
        kinds.DURATION,
        "With nothing else to do, wait so long for items due again.",
        default="30s",
    )
    metrics_file: str | None = _setting(
        "push.metrics_file",
        kinds.PATH,
        "Keep this file up to date for Prometheus' node exporter.",
        example="/var/lib/node_exporter/bulkup.prom",
    )
    json: bool = _setting(
        "push.json", kinds.TRUTH, "Print events to standard output as JSON lines.", default=False
    )

    endpoint_url: str | None = _setting(
        "s3.endpoint_url",
        kinds.TEXT,
        "The server, where it is not Amazon's.",
        aws=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        example="https://s3.example.org",
    )
    region: str | None = _setting(
        "s3.region",
        kinds.TEXT,
        "The bucket's region.",
        aws=("AWS_REGION", "AWS_DEFAULT_REGION"),
        example="eu-central-1",
    )
    profile: str | None = _setting(
        "s3.profile",
        kinds.TEXT,
        "The AWS profile to take credentials from.",
        aws=("AWS_PROFILE",),
        example="photos",
    )
    ca_bundle: str | None = _setting(
        "s3.ca_bundle",
        kinds.PATH,
        "Trust the certificates in this PEM file.",
        aws=("AWS_CA_BUNDLE",),
        example="/etc/ssl/private-ca.pem",
    )
    storage_class: str | None = _setting(
        "s3.storage_class", kinds.TEXT, "The storage class of new objects.", example="STANDARD_IA"
    )
    cache_control: str | None = _setting(
        "s3.cache_control",
        kinds.TEXT,
        "The Cache-Control header of new objects.",
        example="max-age=31536000",
    )
    metadata: dict[str, str] = _setting(  # noqa: RUF009  # makes a field with a default_factory
        "s3.metadata",
        kinds.PAIRS,
        "Metadata of new objects.",
        default={},
        example={"archive": "family"},
    )
    tags: dict[str, str] = _setting(  # noqa: RUF009  # makes a field with a default_factory
        "s3.tags",
        kinds.PAIRS,
        "Tags of new objects.",
        flag="tag",
        default={},
        example={"project": "scans"},
    )
    # Below it, a lost request costs less than the three more of a multipart upload.
    part_threshold_bytes: int = _setting(
        "s3.part_threshold",
        kinds.PART_SIZE,
        "Send larger files in parts.",
        flag=False,
        default="64MiB",
    )
    # Four in flight fill a fast link; a killed run repeats little.
    part_size_bytes: int = _setting(
        "s3.part_size",
        kinds.PART_SIZE,
        "The size of a part; grows where 10,000 do not suffice.",
        flag=False,
        default="16MiB",
    )

    # Decoding is what takes the time: with more than the cores have, all of it goes slower.
    workers: int | Literal["auto"] = _setting(
        "process.workers",
        kinds.CONCURRENCY,
        "Processes that decode pictures; auto: one for each core.",
        default="auto",
    )
    # A grid wants the first, a screen the second; both are what immich and PhotoPrism make.
    variants: tuple[tuple[str, int, str, int], ...] = _setting(
        "process.variants",
        kinds.VARIANTS,
        "What is made of each picture: name:size in pixels:format:quality.",
        flag=False,
        default=["thumb:256:webp:80", "preview:1440:jpeg:80"],
    )
    # 200 megapixels decode to 0.8 GB; a progressive JPEG or a HEIC of that size holds them twice.
    worker_memory_bytes: int = _setting(
        "process.memory",
        kinds.WORKER_MEMORY,
        "What one worker may hold; a picture that needs more fails.",
        flag=False,
        env="BULKUP_PROCESS_MEMORY",
        default="2GiB",
    )
    # A hundred times what a large photo takes.
    worker_seconds: float = _setting(
        "process.timeout",
        kinds.SPAN,
        "How long one picture may take.",
        flag=False,
        env="BULKUP_PROCESS_TIMEOUT",
        default="60s",
    )
    # The largest sensors and most panoramas are below; bombs are above.
    max_pixels: int = _setting(
        "process.max_pixels",
        kinds.COUNT,
        "Refuse pictures of more pixels.",
        flag=False,
        default=200_000_000,
    )
    max_picture_bytes: int = _setting(
        "process.max_bytes",
        kinds.SIZE,
        "Refuse pictures of more bytes.",
        flag=False,
        env="BULKUP_PROCESS_MAX_BYTES",
        default="500MiB",
    )

    # It works offline right after installation.
    model: Literal["efficientnet-lite0", "clip", "http"] = _setting(
        "embed.model",
        kinds.EMBEDDER,
        "What makes vectors of pictures: efficientnet-lite0, clip (an extra) or http (a service).",
        default="efficientnet-lite0",
        env="BULKUP_EMBED_MODEL",
    )
    # Six times the work; it helps with queries of two words, and not with those of one.
    thorough: bool = _setting(
        "embed.thorough",
        kinds.TRUTH,
        "Look at six views of each picture instead of one.",
        default=False,
        env="BULKUP_EMBED_THOROUGH",
    )
    embed_url: str | None = _setting(
        "embed.url",
        kinds.WEB_URL,
        "The service for the embedder http.",
        flag=False,
        env="BULKUP_EMBED_URL",
        example="https://api.example.org/v1",
    )
    embed_api: Literal["openai", "replicate"] = _setting(
        "embed.api",
        kinds.EMBED_API,
        "Which protocol it speaks: OpenAI's embeddings, or Replicate's predictions.",
        flag=False,
        env="BULKUP_EMBED_API",
        default="openai",
    )
    remote_model: str | None = _setting(
        "embed.remote_model",
        kinds.TEXT,
        "The model to ask it for.",
        flag=False,
        env="BULKUP_EMBED_REMOTE_MODEL",
        example="jina-clip-v2",
    )
    embed_key: str | None = _setting(
        "embed.key",
        kinds.SECRET,
        "The key to the service; better kept in the environment.",
        flag=False,
        env="BULKUP_EMBED_KEY",
    )
    pictures_as: Literal["url", "image", "message"] = _setting(
        "embed.pictures_as",
        kinds.PICTURES_AS,
        "How requests hold pictures: url (Infinity), image (Jina) or message (vLLM).",
        flag=False,
        env="BULKUP_EMBED_PICTURES_AS",
        default="url",
    )
    embed_dimension: int | None = _setting(
        "embed.dimension",
        kinds.COUNT,
        "Refuse vectors of another dimension.",
        flag=False,
        env="BULKUP_EMBED_DIMENSION",
        example=768,
    )
    # What free plans allow.
    embed_requests_per_minute: float = _setting(
        "embed.requests_per_minute",
        kinds.NUMBER,
        "Ask the service at most so often.",
        flag=False,
        env="BULKUP_EMBED_REQUESTS_PER_MINUTE",
        default=5,
    )
    embed_burst: int = _setting(
        "embed.burst",
        kinds.COUNT,
        "After a rest, ask it so many times at once.",
        flag=False,
        env="BULKUP_EMBED_BURST",
        default=5,
    )
    embed_timeout_seconds: float = _setting(
        "embed.timeout",
        kinds.SPAN,
        "How long one answer of the service may take.",
        flag=False,
        env="BULKUP_EMBED_TIMEOUT",
        default="60s",
    )

    # A laptop's nap must not cost its claims.
    stale_after_seconds: float = _setting(
        "claims.stale_after",
        kinds.SPAN,
        "Take over a run's claims after so long without a sign of life.",
        flag=False,
        env="BULKUP_CLAIMS_STALE_AFTER",
        default="10m",
    )

    # Often a secret, which a flag would show to everybody who may list processes.
    webhook: str | None = _setting(
        "notify.webhook",
        kinds.WEB_URL,
        "POST messages about runs to this URL, as JSON.",
        flag=False,
        env="BULKUP_NOTIFY_WEBHOOK",
        example="https://hooks.example.org/bulkup",
    )
    # Silence would otherwise mean both "all is well" and "cron is off".
    notify_on: Literal["always", "failure", "never"] = _setting(
        "notify.on",
        kinds.NOTIFY_ON,
        "Tell of every run's end, of those that did not exit with 0, or nothing at all.",
        flag=False,
        env="BULKUP_NOTIFY_ON",
        default="always",
    )
    # A few bad files are usual; more than that is a bad disk or a bad key.
    notify_failure_rate: float = _setting(
        "notify.failure_rate",
        kinds.SHARE,
        "Tell during a run, once, when more than this share of at least 20 items failed.",
        flag=False,
        env="BULKUP_NOTIFY_FAILURE_RATE",
        default="10%",
    )
    notify_every: int | None = _setting(
        "notify.every",
        kinds.COUNT,
        "Tell during a run after every so many failures.",
        flag=False,
        env="BULKUP_NOTIFY_EVERY",
        example=100,
    )

    @property
    def store(self) -> str:
        """The embedded store: where a push goes when no destination was ever given."""
        return f"{self.home}/store"


def describe() -> Iterator[SettingRow]:
    """Every setting, by the tables of bulkup.toml: first those without one."""
    return (f.metadata["row"] for f in fields(Settings))
