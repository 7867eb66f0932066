"""The computations and variants of the benchmark; the load itself is `make bench`."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from bench.measurement import SETTINGS, Cell, models_of
from bench.memory import MemorySample, memory_lines
from bench.report import rows_of, table
from bench.segmenter_cost import WITH, WITHOUT, costs_of, table_of, write_repository_without
from bench.variants import VARIANTS, Variant, changed

REPOSITORY = Path(__file__).parents[2] / "triton_models"


def cell(target: str, throughput: float, latency_ms: float) -> Cell:
    return Cell("classification", target, 4, [throughput, throughput, 100 * throughput], [latency_ms] * 99 + [900.0])


def test_every_target_is_compared_with_the_fastest_setting() -> None:
    slow, fast, other = map(str, SETTINGS)
    rows = rows_of([cell(slow, 10, 90), cell(fast, 40, 20), cell(other, 30, 30), cell("gateway", 36, 29)])
    gateway = rows[-1]
    assert gateway["images_per_s"] == 36, "the median of the rounds: one lucky round does not count"
    assert gateway["ratio"] == pytest.approx(0.9)
    assert gateway["p50_beyond_models_ms"] == pytest.approx(9)
    assert gateway["p99_to_p50"] == pytest.approx(gateway["p99_ms"] / gateway["p50_ms"], abs=0.01)
    assert "| classification | 4 | gateway | 36.0 | 0.90 | 29.0 |" in table(rows)[-1]
    assert f"ONNX Runtime alone: {fast}" in table(rows)[3]


def test_the_models_of_each_kind_of_work_are_those_of_the_cards() -> None:
    models = models_of(REPOSITORY)
    assert len(models["classification"]) == 5
    assert len(models["detection"]) == 3


def test_the_cost_of_the_segmenter_is_a_ratio_of_medians() -> None:
    """By kind of work and number of clients, in whatever order they were measured."""
    other = Cell("detection", "service", 1, [10.0], [80.0])
    measured = [
        (WITHOUT, cell("service", 40, 20)),
        (WITH, other),
        (WITH, cell("service", 30, 30)),
        (WITHOUT, Cell("detection", "service", 1, [20.0], [50.0])),
        (WITH, other),
    ]
    costs = costs_of(measured)
    assert [cost.ratio for cost in costs] == pytest.approx([0.75, 0.5])
    assert costs[1].row()["p50_ms_without"] == 50
    assert "| classification | 4 | 30.0 | 40.0 | 0.75 | 30.0 | 20.0 |" in table_of(costs)


def test_a_repository_without_the_segmenter_has_all_other_models(tmp_path: Path) -> None:
    made = write_repository_without(REPOSITORY, tmp_path / "models")
    names = {folder.name for folder in made.iterdir()}
    assert names == {folder.name for folder in REPOSITORY.iterdir()} - {"segment_resunet"}
    assert models_of(made) == models_of(REPOSITORY)


def parsed(text: str) -> model_config_pb2.ModelConfig:  # pyright: ignore[reportAttributeAccessIssue]  made at run time
    return text_format.Parse(text, model_config_pb2.ModelConfig())  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_changes_only_its_setting(variant: Variant) -> None:
    shipped_text = (REPOSITORY / "classify_resnet" / "config.pbtxt").read_text()
    shipped, made = parsed(shipped_text), parsed(changed(shipped_text, variant))
    assert made.parameters["intra_op_thread_count"].string_value == str(variant.threads or 1)
    assert made.parameters["session.intra_op.allow_spinning"].string_value == str(int(bool(variant.spinning)))
    assert made.instance_group[0].count == (variant.instances or 1)
    assert made.HasField("dynamic_batching") == variant.batching
    assert made.dynamic_batching.max_queue_delay_microseconds == (variant.delay_us or 0)
    for same in ("input", "output", "max_batch_size", "backend", "name"):
        assert getattr(made, same) == getattr(shipped, same)


def test_growth_of_memory_is_that_after_a_tenth_of_the_images() -> None:
    """What is loaded for the first image is no growth."""
    sizes = {0: 50e6, 100: 100e6, 200: 400e6, 1000: 103e6}
    samples = [MemorySample(images, {"gateway": int(size)}) for images, size in sizes.items()]
    assert memory_lines(samples)[2:] == ["| gateway | 50.0 | 100.0 | 103.0 | +3.0 % |"]
    assert "after 100 images | after 1000 images" in memory_lines(samples)[0]
