"""Too few open files are refused before any work."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROBE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:])))
from bulkup.run.descriptors import ensure_descriptors
ensure_descriptors()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("allowed", "most", "then"),
    [(64, 64, 64), (32, 100, 100), (256, 4000, 1024), (2000, 4000, 2000)],
)
def test_the_limit_is_raised_as_far_as_is_useful_and_allowed(
    allowed: int, most: int, then: int
) -> None:
    command = [sys.executable, "-c", _PROBE, str(allowed), str(most)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(ended.stdout) == then


def test_fewer_than_the_least_are_refused_by_name() -> None:
    command = [sys.executable, "-c", _PROBE, "32", "32"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "TooFewDescriptors: only 32 open files are allowed; bulkup needs at least 64" in (
        ended.stderr
    )


@pytest.mark.parametrize(("allowed", "connections"), [(256, 160), (1024, 928), (64, 16)])
def test_connections_leave_descriptors_for_all_else(allowed: int, connections: int) -> None:
    probe = _PROBE.replace("print(", "from bulkup.run.descriptors import most_connections; print(")
    probe = probe.replace("resource.getrlimit(resource.RLIMIT_NOFILE)[0]", "most_connections()")
    command = [sys.executable, "-c", probe, str(allowed), str(allowed)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(ended.stdout) == connections
