"""What is measured: data, server, commands, and what bulkup's numbers are to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.servers.relay import Network

BUCKET = "bench"

# Words in braces are filled in by bench.py.
PUSH = (
    "{bulkup} push {directory} --to s3://bench/mine --endpoint-url {endpoint}"
    " --manifest {tmp}/manifest.db {options}"
)
S5CMD = "{s5cmd} --endpoint-url {endpoint} --log error --numworkers 32"
S5CMD_PUSH = S5CMD + " cp {directory}/ s3://bench/peers/"
RCLONE = "{rclone} copy --transfers 16 --checkers 16"
# rclone's fastest: no bucket check, no HEAD after each upload, one listing instead of a HEAD for
# each file, no MD5. A multi-thread copy looks for its object afterwards, which the sink forgets.
RCLONE_PUSH = (
    RCLONE + " --fast-list --s3-no-check-bucket --s3-disable-checksum --s3-no-head"
    " --ignore-checksum --multi-thread-streams 0 {directory} peers:bench/peers"
)
PUSHES = {"bulkup": PUSH, "s5cmd": S5CMD_PUSH, "rclone": RCLONE_PUSH}
# Over a distance more requests in flight are faster: s5cmd's default, and what rclone gains by.
FAR_PUSHES = {
    "bulkup": PUSH,
    "s5cmd": S5CMD_PUSH.replace("--numworkers 32", "--numworkers 256"),
    "rclone": RCLONE_PUSH.replace("--transfers 16", "--transfers 64"),
}
# The shortest programs around two libraries: obstore (Rust), and the client in C of the AWS CLI.
# Not over TLS, where each wants the authority in its own way.
LIBRARY = "{peer_python} {peer_push} %s {directory} {endpoint} s3://bench/peers"
LIBRARIES = {"obstore": LIBRARY % "obstore", "aws crt": LIBRARY % "crt"}
PUSHES_PLAIN = PUSHES | LIBRARIES
FAR_PLAIN = FAR_PUSHES | LIBRARIES | {"obstore": LIBRARIES["obstore"] + " 256"}
# Back again: bulkup compares SHA-256, rclone MD5 where the server tells it, s5cmd nothing.
PULLS = {
    "bulkup": "{bulkup} pull --into {tmp}/pulled --manifest {tmp}/manifest.db"
    " --endpoint-url {endpoint} --quiet",
    "s5cmd": S5CMD + " cp s3://bench/peers/* {tmp}/pulled/",
    "rclone": RCLONE + " --fast-list --multi-thread-streams 0 peers:bench/peers {tmp}/pulled",
}
FAR_PULLS = {
    "bulkup": PULLS["bulkup"],
    "s5cmd": PULLS["s5cmd"].replace("--numworkers 32", "--numworkers 256"),
    "rclone": PULLS["rclone"].replace("--transfers 16", "--transfers 64"),
}
MEGABIT = 1e6 / 8


@dataclass(frozen=True, slots=True)
class Scenario:
    """One table. `commands` are measured in turn; ratios are to the fastest that is not bulkup.

    `server`: `sink` drops what it gets; `ceph` is a real gateway behind a counting throttle.
    `network` lies between the commands and the server, which then honours conditional writes.
    `stores` says whether a run must store the whole data set or nothing.
    `fill` are run once before the first round, unmeasured; a fresh manifest is made for each run
    only where there is nothing to fill. `pulls`: a run makes `{tmp}/pulled`, with all files.
    """

    name: str
    kind: str
    commands: dict[str, str]
    server: Literal["sink", "ceph"] = "sink"
    tls: bool = False
    network: Network | None = None
    stores: bool = True
    fill: tuple[str, ...] = ()
    pulls: bool = False
    wall_goal: float | None = None  # bulkup's wall time, as a share of the fastest other's
    peak_goal_mib: float | None = None


SCENARIOS = (
    Scenario("push-small", "small", PUSHES_PLAIN, wall_goal=0.45),
    Scenario("push-photo", "photo", PUSHES_PLAIN, wall_goal=0.75),
    Scenario("push-large", "large", PUSHES_PLAIN, wall_goal=1.0),
    Scenario("push-small-tls", "small", PUSHES, tls=True, wall_goal=0.5),
    Scenario("push-photo-tls", "photo", PUSHES, tls=True, wall_goal=0.95),
    Scenario("push-large-tls", "large", PUSHES, tls=True),
    Scenario("far-30ms-small", "small-far", FAR_PLAIN, network=Network(0.015), wall_goal=0.6),
    Scenario("far-30ms-photo", "photo-far", FAR_PLAIN, network=Network(0.015), wall_goal=0.7),
    Scenario("far-100ms-small", "small-far", FAR_PLAIN, network=Network(0.05), wall_goal=0.6),
    Scenario("far-100ms-photo", "photo-far", FAR_PLAIN, network=Network(0.05), wall_goal=0.7),
    Scenario("far-100ms-small-tls", "small-far", FAR_PUSHES, tls=True, network=Network(0.05)),
    Scenario("line-100mbit-small", "small-line", FAR_PUSHES, network=Network(0.02, 100 * MEGABIT)),
    Scenario("line-100mbit-photo", "photo-line", FAR_PUSHES, network=Network(0.02, 100 * MEGABIT)),
    Scenario("line-1gbit-photo", "photo-far", FAR_PUSHES, network=Network(0.005, 1000 * MEGABIT)),
    Scenario(
        "line-1gbit-film",
        "film",
        FAR_PUSHES,
        network=Network(0.05, 1000 * MEGABIT),
        wall_goal=0.8,
    ),
    *(
        Scenario(
            name,
            kind,
            commands,
            server="ceph",
            network=network,
            stores=False,
            fill=(PUSH, S5CMD_PUSH),
            pulls=True,
            wall_goal=0.8,
        )
        for name, kind, commands, network in (
            ("pull-small", "small-far", PULLS, None),
            ("pull-photo", "photo-far", PULLS, None),
            ("pull-30ms-small", "small-far", FAR_PULLS, Network(0.015)),
            ("pull-30ms-photo", "photo-far", FAR_PULLS, Network(0.015)),
        )
    ),
    Scenario(
        "rerun",
        "tree",
        {
            "bulkup": PUSH,
            "s5cmd": S5CMD + " sync {directory}/ s3://bench/peers/",
            # its documented fast way on S3: no HEAD of each key for the mtime it keeps there
            "rclone": RCLONE + " --fast-list --update --use-server-modtime {directory}"
            " peers:bench/peers",
        },
        server="ceph",
        stores=False,
        fill=(PUSH, S5CMD_PUSH),
        wall_goal=0.25,
    ),
    Scenario(
        "memory-walk",
        "million",
        {"bulkup": "{bulkup} {walk}"},
        stores=False,
        peak_goal_mib=250,
    ),
    Scenario("memory-5gib", "sparse", PUSHES, peak_goal_mib=300),
    Scenario(
        "status",
        "tree",
        {
            "bulkup": "{bulkup} status --manifest {tmp}/manifest.db",
            "import typer": "{python} -c 'import typer'",
        },
        stores=False,
        fill=(PUSH,),
        wall_goal=3.0,
    ),
)
