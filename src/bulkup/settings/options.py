"""What a push uploads and how a run works: frozen values that `load` makes.

A field made by `setting` is a row of the table of settings; `load` fills in the others. Nobody
compares options: `eq=False` saves every command the making of those methods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from bulkup.model import Stage
from bulkup.settings import parsing as kinds
from bulkup.settings.setting import group, setting
from bulkup.settings.stage_options import EmbedOptions, ProcessOptions
from bulkup.settings.units import timestamp

if TYPE_CHECKING:
    from bulkup.stores.attributes import Extras
    from bulkup.walk.filters import Selection


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UploadOptions:
    """Which files a push takes, where they go, and how they are stored."""

    to: str | None = setting(
        "push.to",
        kinds.DESTINATION,
        "The destination: s3://bucket/prefix or a directory.",
        example="s3://bucket/prefix",
    )
    default_to: str = ""  # the local store under `home`: used when no destination was ever given
    stages: tuple[Stage, ...] = setting(
        "push.stages",
        kinds.STAGE_LIST,
        "The stages to run, of upload, process and embed.",
        default=list(Stage),
    )
    include: tuple[str, ...] = setting(
        "push.include",
        kinds.TEXTS,
        "Upload only files that match one of these patterns (gitignore syntax).",
        default=[],
        example=["*.jpg"],
    )
    exclude: tuple[str, ...] = setting(
        "push.exclude",
        kinds.TEXTS,
        "Ignore files that match one of these patterns (gitignore syntax).",
        default=[],
        example=["drafts/"],
    )
    # A picture folder is full of databases and settings of other programs.
    all_files: bool = setting(
        "push.all_files",
        kinds.TRUTH,
        "Upload all files, not only pictures, videos and their sidecars.",
        default=False,
    )
    # They are caches and trash, nearly always.
    hidden: bool = setting(
        "push.hidden",
        kinds.TRUTH,
        "Upload files and folders whose name begins with a dot.",
        default=False,
    )
    # A link may point outside the root.
    follow_symlinks: bool = setting(
        "push.follow_symlinks", kinds.TRUTH, "Follow symbolic links.", default=False
    )
    min_size_bytes: int | None = setting(
        "push.min_size", kinds.SIZE, "Ignore smaller files.", example="10KiB"
    )
    max_size_bytes: int | None = setting(
        "push.max_size", kinds.SIZE, "Ignore larger files.", example="2GiB"
    )
    newer_than: timedelta | datetime | None = setting(
        "push.newer_than",
        kinds.MOMENT,
        "Ignore files modified before this date or age.",
        example="2026-01-31",
    )
    older_than: timedelta | datetime | None = setting(
        "push.older_than",
        kinds.MOMENT,
        "Ignore files modified after this date or age.",
        example="7d",
    )
    files_from: str | None = setting(
        "push.files_from",
        kinds.PATH,
        "Upload only the paths listed in this file, one per line; - is standard input.",
        example="paths.txt",
    )
    # People look into their buckets, with other tools too.
    layout: str = setting(
        "push.layout",
        kinds.LAYOUT,
        "Name objects by path, by digest (content), or by a template: "
        "{taken:%Y}/{taken:%m}/{name}.",
        default="path",
    )
    # Skipping costs nothing, and the manifest knows where the content is.
    on_duplicate: Literal["skip", "copy"] = setting(
        "push.on_duplicate",
        kinds.ON_DUPLICATE,
        "Only record a duplicate, or copy it on the server.",
        default="skip",
    )
    # Folders are albums to some, and dates to others.
    album_from_folder: bool = setting(
        "push.album_from_folder",
        kinds.TRUTH,
        "Make an album of each folder, with the folder's name.",
        default=False,
    )
    storage_class: str | None = setting(
        "s3.storage_class", kinds.TEXT, "The storage class of new objects.", example="STANDARD_IA"
    )
    cache_control: str | None = setting(
        "s3.cache_control",
        kinds.TEXT,
        "The Cache-Control header of new objects.",
        example="max-age=31536000",
    )
    metadata: dict[str, str] = setting(
        "s3.metadata",
        kinds.PAIRS,
        "Metadata of new objects.",
        default={},
        example={"archive": "family"},
    )
    tags: dict[str, str] = setting(
        "s3.tags",
        kinds.PAIRS,
        "Tags of new objects.",
        flag="tag",
        default={},
        example={"project": "scans"},
    )

    def selection(self, *, now: float) -> Selection:
        """Which files are taken; ages count from `now`, in seconds since 1970."""
        from bulkup.walk.filters import Selection

        newer, older = self.newer_than, self.older_than
        return Selection(
            include=self.include,
            exclude=self.exclude,
            all_files=self.all_files,
            hidden=self.hidden,
            follow_symlinks=self.follow_symlinks,
            min_size_bytes=self.min_size_bytes,
            max_size_bytes=self.max_size_bytes,
            newer_than=None if newer is None else timestamp(newer, now=now),
            older_than=None if older is None else timestamp(older, now=now),
        )

    @property
    def extras(self) -> Extras:
        """What is stored with every object."""
        from bulkup.stores.attributes import Extras

        return Extras(self.cache_control, self.storage_class, self.metadata, self.tags)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunOptions:
    """How a run connects, how fast it works, and when it stops."""

    # The window finds what this connection and server can do.
    concurrency: int | None = setting(
        "push.concurrency",
        kinds.AUTO_OR_COUNT,
        "Requests in flight at once; auto adapts to the server.",
        default="auto",
    )
    max_rate_per_second: float | None = setting(
        "push.max_rate", kinds.RATE, "Limit on requests per second.", example="100/s"
    )
    bwlimit_bytes_per_second: int | None = setting(
        "push.bwlimit", kinds.BANDWIDTH, "Limit on bytes per second.", example="10M"
    )
    limit: int | None = setting(
        "push.limit",
        kinds.COUNT_OR_NONE,
        "Stop after this many unique files; with 0, push only scans.",
        example=1000,
    )
    max_duration_seconds: float | None = setting(
        "push.max_duration", kinds.SPAN, "Stop after this time.", example="10m"
    )
    max_errors: int | None = setting(
        "push.max_errors", kinds.COUNT, "Stop after this many failed attempts.", example=100
    )
    # Outlasts the first wait of a failed upload (10 s); the next run takes the longer ones.
    patience_seconds: float = setting(
        "push.patience",
        kinds.DURATION,
        "At the end, wait this long for items that will be retried.",
        default="30s",
    )
    # A router that restarts, a laptop that changes networks, a train in a tunnel.
    wait_online_seconds: float = setting(
        "push.wait_online",
        kinds.DURATION,
        "Wait this long for a destination that cannot be reached any more.",
        default="15m",
    )
    # Python computes on one core: with it, 20,000 small files take a fifth less time.
    ingest_process: bool = setting(
        "push.ingest_process",
        kinds.TRUTH,
        "Read, hash and register small files in a second process (Linux).",
        flag=False,
        default=True,
    )
    endpoint_url: str | None = setting(
        "s3.endpoint_url",
        kinds.URL,
        "The URL of the S3 server, if it is not Amazon S3.",
        env="BULKUP_ENDPOINT_URL AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL",
        example="https://s3.example.org",
    )
    region: str | None = setting(
        "s3.region",
        kinds.TEXT,
        "The bucket's region.",
        env="BULKUP_REGION AWS_REGION AWS_DEFAULT_REGION",
        example="eu-central-1",
    )
    profile: str | None = setting(
        "s3.profile",
        kinds.TEXT,
        "A profile of bulkup.toml; without any there, of AWS.",
        env="BULKUP_PROFILE AWS_PROFILE",
        example="photos",
    )
    # Some endpoints take one style only.
    addressing_style: Literal["auto", "path", "virtual"] | None = setting(
        "s3.addressing_style",
        kinds.ADDRESSING_STYLE,
        "How requests name the bucket: in the path of the URL, or in its host name (virtual).",
        example="virtual",
    )
    ca_bundle: str | None = setting(
        "s3.ca_bundle",
        kinds.PATH,
        "Trust the certificates in this PEM file.",
        env="BULKUP_CA_BUNDLE AWS_CA_BUNDLE",
        example="/etc/ssl/private-ca.pem",
    )
    # Below it, a lost request costs less than the three more of a multipart upload.
    part_threshold_bytes: int = setting(
        "s3.part_threshold",
        kinds.PART_SIZE,
        "Upload larger files in parts.",
        flag=False,
        default="64MiB",
    )
    # Four in flight fill a fast connection; a killed run repeats little.
    part_size_bytes: int = setting(
        "s3.part_size",
        kinds.PART_SIZE,
        "The size of a part; larger where 10,000 parts would not suffice.",
        flag=False,
        default="16MiB",
    )
    engine: str = setting(
        "cluster.engine",
        kinds.ENGINE,
        "Where process and embed work: local, dask://HOST:PORT, or dask:// for a cluster here.",
        default="local",
        example="dask://scheduler:8786",
    )
    sign: bool = setting(
        "cluster.sign",
        kinds.TRUTH,
        "Give workers signed URLs; they need no credentials for the bucket then.",
        default=False,
    )
    process: ProcessOptions = group(ProcessOptions)
    embed: EmbedOptions = group(EmbedOptions)
    # A laptop that sleeps for minutes must not lose its claims.
    stale_after_seconds: float = setting(
        "claims.stale_after",
        kinds.SPAN,
        "Treat a run as dead after this long without a heartbeat.",
        flag=False,
        default="10m",
    )

    def forced(self) -> RunOptions:
        """The same, but variants and embeddings that exist already are made again."""
        return replace(
            self, process=replace(self.process, force=True), embed=replace(self.embed, force=True)
        )
