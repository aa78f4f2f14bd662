"""A push by a library: the shortest program that uses it well. For the interpreter that has it.

    python benchmarks/peer_push.py obstore|crt DIRECTORY ENDPOINT s3://BUCKET/PREFIX [IN_FLIGHT]

`crt` is the client in C that `aws s3` and boto3 can use; it decides itself how many are in flight.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REGION = "us-east-1"
WHOLE_BYTES = 64 << 20  # as bulkup: larger ones in parts
GIGABITS = 25.0  # CRT opens connections for so much


def files_below(directory: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    """Each file and its key."""
    for path in directory.rglob("*"):
        if path.is_file():
            yield path, f"{prefix}/{path.relative_to(directory)}"


async def push_with_obstore(
    directory: Path, endpoint: str, bucket: str, prefix: str, in_flight: int
) -> None:
    """Each file as one task, so many at the same time."""
    obstore: Any = import_module("obstore")
    S3Store: Any = import_module("obstore.store").S3Store  # noqa: N806 - a class

    store: Any = S3Store(
        bucket,
        endpoint=endpoint,
        region=REGION,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    turns = asyncio.Semaphore(in_flight)

    async def put(path: Path, key: str) -> None:
        async with turns:
            in_parts = os.path.getsize(path) > WHOLE_BYTES  # noqa: ASYNC240 - a few microseconds
            await obstore.put_async(store, key, path, use_multipart=in_parts)

    async with asyncio.TaskGroup() as tasks:
        for path, key in files_below(directory, prefix):
            tasks.create_task(put(path, key))


def push_with_crt(directory: Path, endpoint: str, bucket: str, prefix: str) -> None:
    """All files at once: the client queues them."""
    from botocore.session import get_session
    from s3transfer import crt

    session: Any = get_session()
    serializer: Any = crt.BotocoreCRTRequestSerializer(
        session, {"region_name": REGION, "endpoint_url": endpoint}
    )
    keys: Any = crt.BotocoreCRTCredentialsWrapper(session.get_credentials())
    client: Any = crt.create_s3_crt_client(
        REGION,
        crt_credentials_provider=keys.to_crt_credentials_provider(),
        target_throughput=int(GIGABITS * 1e9 / 8),
        use_ssl=endpoint.startswith("https:"),
    )
    with crt.CRTTransferManager(client, serializer) as manager:
        futures = [
            manager.upload(str(path), bucket, key) for path, key in files_below(directory, prefix)
        ]
        for future in futures:
            future.result()


def main() -> None:
    """Push with the library that the first argument names."""
    library, directory, endpoint, url, *more = sys.argv[1:]
    parts = urlsplit(url)
    where = (Path(directory), endpoint, parts.netloc, parts.path.strip("/"))
    if library == "crt":
        push_with_crt(*where)
    else:
        asyncio.run(push_with_obstore(*where, int(more[0]) if more else 32))


if __name__ == "__main__":
    main()
