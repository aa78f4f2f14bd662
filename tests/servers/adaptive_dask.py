"""A Dask cluster that grows while tasks wait and shrinks when workers are idle.

`python -m tests.servers.adaptive_dask MINIMUM MAXIMUM` prints the scheduler's address and runs
until its standard input ends.
"""

from __future__ import annotations

import sys

from distributed import LocalCluster


def main(minimum: int, maximum: int) -> None:
    with LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address=None,
        host="127.0.0.1",
    ) as cluster:
        cluster.adapt(
            minimum=minimum,
            maximum=maximum,
            interval="200 ms",
            wait_count=2,
            target_duration="100 ms",
        )
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
