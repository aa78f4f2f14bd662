"""Libraries do not report their use."""

from __future__ import annotations

import subprocess
import sys

_PROBE = """
import os, sys
from bulkup.embed.telemetry import onnxruntime
seen = []
sys.addaudithook(lambda name, args: seen.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
                 if name == "import" and args[0] == "onnxruntime" else None)
assert hasattr(onnxruntime(), "InferenceSession")
print(seen[0])
"""


def test_the_environment_forbids_telemetry_before_the_runtime_is_loaded() -> None:
    """Whatever the user's own environment says."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROBE],
        capture_output=True,
        text=True,
        check=True,
        env={"ORT_DISABLE_TELEMETRY": "0"},
    )
    assert ended.stdout.split() == ["1"]
