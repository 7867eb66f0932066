"""The frozen networks: a volume's kernels on one slice, and the axes of the maps."""

from __future__ import annotations

import pytest
import torch

from training.teacher.networks import Astra, MobileNet

SIDE = 64


def spread_over(value: torch.Tensor, dim: int) -> torch.Tensor:
    """Three parts along a new axis that add up to `value`."""
    parts = [0.5 * value, 0.2 * value + 1, 0.3 * value - 1]
    return torch.stack(parts, dim=dim)


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """With statistics of its normalisations that change something."""
    torch.manual_seed(3)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.copy_(torch.randn_like(value) * 0.1)
    return network.eval()


def test_the_kernels_of_a_volume_are_summed_over_its_slices_and_channels() -> None:
    astra = randomised(Astra())
    names = {"stem.0": "conv1", "stem.1": "bn1", "stages.0": "layer1", "stages.1": "layer2"}
    volume: dict[str, torch.Tensor] = {"layer3.0.conv1.weight": torch.zeros(1, 1, 1, 1, 1)}
    for name, value in astra.state_dict().items():
        new = next(new + name.removeprefix(old) for old, new in names.items() if name.startswith(old + "."))
        volume[new] = spread_over(value, 2) if value.ndim == 4 else value
    volume["conv1.weight"] = spread_over(volume["conv1.weight"].squeeze(1), 1)
    loaded = Astra()
    loaded.load_volume_weights(volume)
    hu = torch.rand(1, 1, SIDE, SIDE) * 250
    with torch.inference_mode():
        pairs = zip(astra(hu), loaded.eval()(hu), strict=True)
        for expected, actual in pairs:
            assert actual.numpy() == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-3)


def test_the_maps_of_both_networks_lie_on_the_image() -> None:
    """A change in one corner of the image changes the maps there most."""
    for network in (randomised(MobileNet((0.0, 250.0))), randomised(Astra())):
        plain = torch.full((1, 1, SIDE, 2 * SIDE), 100.0)
        changed = plain.clone()
        changed[..., :12, -12:] = 240.0
        with torch.inference_mode():
            for before, after in zip(network(plain), network(changed), strict=True):
                difference = (after - before).abs().sum(dim=(0, 1))
                height, width = difference.shape
                assert (height, width) == (before.shape[2], 2 * before.shape[2])
                assert difference[: height // 2, 3 * width // 4 :].sum() > 0.5 * difference.sum()


def test_astra_reads_the_patient_from_the_other_side() -> None:
    """Its first axis runs to the patient's right, which is the left of the image, and its second to the front."""
    astra = Astra().eval()
    seen: list[torch.Tensor] = []
    astra.stem.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    hu = torch.zeros(1, 1, SIDE, SIDE)
    hu[0, 0, 5, 9] = 1000.0
    with torch.inference_mode():
        astra(hu)
    assert seen[0].amax() == pytest.approx(1.0)
    assert (seen[0][0, 0] == seen[0].amax()).nonzero().tolist() == [[SIDE - 1 - 9, SIDE - 1 - 5]]
