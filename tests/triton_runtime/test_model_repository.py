"""Every shipped model keeps the contract of docs/models.md, and the linter reports violations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hepar.contracts.cards import ModelCard
from hepar.inference import read_cards
from triton_runtime.lint import batched, faults, main, parsed
from triton_runtime.plans import prepare_repository

REPOSITORY = Path(__file__).parents[2] / "triton_models"
FOLDERS = sorted(path for path in REPOSITORY.iterdir() if path.is_dir())


def card_of(folder: Path) -> ModelCard:
    return ModelCard.model_validate_json((folder / "card.json").read_bytes())


def test_there_is_a_model_for_each_task() -> None:
    assert read_cards(REPOSITORY, "classification")
    assert read_cards(REPOSITORY, "detection")
    assert read_cards(REPOSITORY, "input_check")
    assert read_cards(REPOSITORY, "segmentation")


def test_configurations_graphs_and_cards_agree() -> None:
    assert faults(REPOSITORY) == []
    for folder in FOLDERS:
        assert batched(parsed(folder / "config.pbtxt"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("config.pbtxt", 'backend: "onnxruntime"', 'backend: "onnx"', "backend is 'onnx'"),
        ("config.pbtxt", "dynamic_batching", "dynamic_baching", "dynamic_baching"),
        ("config.pbtxt", "dynamic_batching { }\n", "", "dynamic_batching goes with"),
        ("config.pbtxt", 'name: "classify_unet"', 'name: "classify_net"', "names the model 'classify_net'"),
        ("config.pbtxt", 'name: "logits"', 'name: "logit"', "promised are activation, logits"),
        ("config.pbtxt", "TYPE_UINT8", "TYPE_INT8", "image is TYPE_INT8"),
        ("config.pbtxt", "dims: [ 3 ]", "dims: [ 4 ]", "the graph has TYPE_FP32 [0, 3]"),
        ("configs/gpu.pbtxt", '"FP16"', '"INT8"', "no TensorRT execution accelerator in FP16"),
        ("configs/gpu.pbtxt", "KIND_GPU", "KIND_CPU", "not on a GPU"),
        ("configs/gpu.pbtxt", "trt_engine_cache_path", "trt_other", "no engine cache"),
        ("configs/gpu.pbtxt", "dims: [ 256, 256, 1 ] }\n]", "dims: [ 256, 255, 1 ] }\n]", "promised is TYPE_UINT8"),
        ("card.json", '"classification"', '"something"', "something"),
        ("1/model.onnx", None, None, "no version has a model.onnx"),
    ],
)
def test_the_linter_reports_a_fault(tmp_path: Path, file: str, old: str | None, new: str | None, said: str) -> None:
    shutil.copytree(REPOSITORY / "classify_unet", tmp_path / "classify_unet")
    broken = tmp_path / "classify_unet" / file
    if old is None or new is None:
        broken.unlink()
    else:
        text = broken.read_text()
        assert old in text
        broken.write_text(text.replace(old, new, 1))
    found = faults(tmp_path)
    assert any(said in fault for fault in found), found


def test_the_linter_knows_the_masks_of_a_segmenter(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "segment_resunet", tmp_path / "segment_resunet")
    file = tmp_path / "segment_resunet" / "config.pbtxt"
    file.write_text(file.read_text().replace("dims: [ 2, 256, 256 ]", "dims: [ 2, 128, 128 ]"))
    found = faults(tmp_path)
    assert any("masks is TYPE_UINT8 [2, 128, 128]; promised is TYPE_UINT8 [2, 256, 256]" in one for one in found), found


def test_the_linter_exit_status_reflects_the_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lint", str(tmp_path)])
    assert main() == 1
    assert "no model" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["lint", str(REPOSITORY)])
    assert main() == 0


def test_native_plans_get_a_separate_repository(tmp_path: Path) -> None:
    script = prepare_repository(REPOSITORY, tmp_path / "plans")
    commands = script.read_text()
    for folder in FOLDERS:
        configuration, original = (
            parsed(tmp_path / "plans" / folder.name / "config.pbtxt"),
            parsed(folder / "configs" / "gpu.pbtxt"),
        )
        assert configuration["backend"] == "tensorrt"
        assert "optimization" not in configuration
        assert configuration["input"] == original["input"]
        assert (tmp_path / "plans" / folder.name / "1").is_dir()
        assert f"--saveEngine=/plans/{folder.name}/1/model.plan" in commands
    assert "--maxShapes=image:32x256x256x1" in commands


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_cpu_configurations_use_one_thread_and_gpu_configurations_larger_batches(folder: Path) -> None:
    cpu, gpu = parsed(folder / "config.pbtxt"), parsed(folder / "configs" / "gpu.pbtxt")
    assert cpu["parameters"]["intra_op_thread_count"] == {"string_value": "1"}
    assert cpu["parameters"]["session.intra_op.allow_spinning"] == {"string_value": "0"}
    assert [one["batch_size"] for one in gpu["model_warmup"]] == [1, 8, 16, 32]
    assert int(gpu.get("max_batch_size", 0)) > int(cpu.get("max_batch_size", 0))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_card_states_provenance_and_limits(folder: Path) -> None:
    card = card_of(folder)
    assert card.name == folder.name
    assert card.metrics
    for name, metric in card.metrics.items():
        assert metric.low <= metric.value <= metric.high, name
    assert "CC BY-SA 4.0" in card.training_data
    assert any("not a medical device" in limit for limit in card.limits)
    assert len(card.data_sha256) == len(card.code_sha256) == 64


def test_the_shipped_models_are_small() -> None:
    assert sum(file.stat().st_size for file in REPOSITORY.rglob("*") if file.is_file()) < 80_000_000
