"""Where a running server is, and how to get in."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "test"
SECRET_KEY = "testtest"  # these servers listen on 127.0.0.1 and hold nothing of value
REGION = "us-east-1"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An S3 endpoint with path-style addressing. `ca` is the certificate to trust, over https."""

    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = field(default=SECRET_KEY, repr=False)
    ca: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The AWS variables with which a program finds this endpoint, and nothing of the user's."""
        found = {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        if self.ca:
            found["AWS_CA_BUNDLE"] = str(self.ca)
        return found

    def client(self, *, tries: int = 1) -> S3Client:
        """A boto3 client, for looking into the server from outside of bulkup."""
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            verify=str(self.ca) if self.ca else None,
            config=Config(
                s3={"addressing_style": "path"},
                proxies={},
                retries={"total_max_attempts": tries, "mode": "standard"},
                connect_timeout=5,
                read_timeout=30,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        return client

    def make_bucket(self, prefix: str = "bucket") -> str:
        """Make a bucket that no other test has, and return its name."""
        # The pid keeps pytest-xdist's workers apart when they share a server.
        name = f"{prefix}-{os.getpid()}-{next(_numbers)}"
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()
        return name
