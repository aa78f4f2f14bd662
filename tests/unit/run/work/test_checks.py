"""Versions of driver and workers."""

from __future__ import annotations

from bulkup.run.work.checks import compare, versions_here


def test_the_same_versions_are_no_matter() -> None:
    here = versions_here()
    assert compare(here, here) == (None, None)
    assert {"bulkup", "python", "pillow", "numpy", "onnxruntime"} <= here.keys()


def test_another_bulkup_or_model_gets_no_work() -> None:
    here = {**versions_here(), "embedder": "net 1"}
    for name in ("bulkup", "embedder"):
        refusal, _ = compare(here, {**here, name: "other"})
        assert refusal == f"{name} other instead of {here[name]}"


def test_another_library_is_remarked() -> None:
    here = versions_here()
    refusal, remark = compare(here, {**here, "pillow": "0.1"})
    assert refusal is None
    assert remark == f"pillow 0.1 instead of {here['pillow']}"
