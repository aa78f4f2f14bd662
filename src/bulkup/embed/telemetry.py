"""Keeps the libraries that compute embeddings from reporting their use to their makers."""

from __future__ import annotations

import os
from types import ModuleType

_SWITCHES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


def switch_off_telemetry() -> None:
    """To be called before any import of onnxruntime, huggingface_hub or fastembed.

    ONNX Runtime 1.32 posts events to Microsoft as soon as it is loaded, unless the environment
    forbids it.
    """
    for name in _SWITCHES:
        os.environ[name] = "1"


def onnxruntime() -> ModuleType:
    """ONNX Runtime without telemetry. Raises what its import raises: ImportError, ValueError."""
    switch_off_telemetry()
    import onnxruntime as runtime

    runtime.disable_telemetry_events()
    return runtime  # type: ignore[no-any-return]  # it has no types
