"""The layers of a network in steps, on a simulated clock."""

from __future__ import annotations

import mlx.core as mx
import pytest
from support.engine_runs import result

from speechmlx.engines import AIM
from speechmlx.engines.parts.pace import Layer, LayerPace, applied, framed


class Network:
    """Layers that take `seconds` each."""

    def __init__(self, seconds: float, layers: int = 22) -> None:
        self.now, self.seconds = 0.0, seconds
        self.layers: list[Layer] = [self.layer] * layers
        self.pace = LayerPace(clock=lambda: self.now)
        self.pace.aim = AIM

    def layer(self, x: mx.array) -> mx.array:
        self.now += self.seconds
        return x + 1

    def steps(self, frames: int = 640, network: str = "") -> list[float]:
        """Seconds of each step of a pass."""
        found, before = list[float](), self.now
        for _ in self.pace.run(self.layers, mx.zeros((1, frames, 1)), network):
            found.append(self.now - before)
            before = self.now
        return found


def test_steps_settle_at_the_aim_however_the_passes_end() -> None:
    network = Network(0.001)
    for _ in range(8):
        network.steps()
    assert len(network.steps()) == 1, "22 ms: all layers in one step"
    network.seconds = 0.005
    for _ in range(8):
        network.steps()
    for _ in range(10):
        assert max(network.steps()) <= 1.5 * AIM


def test_a_network_has_steps_of_its_own() -> None:
    network = Network(0.0001)
    for _ in range(8):
        network.steps(network="fast")
    network.seconds = 0.03
    for _ in range(4):
        network.steps()
    network.seconds = 0.0001
    assert len(network.steps(network="fast")) == 1


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_what_is_before_and_after_the_layers_is_in_their_steps(layers: int) -> None:
    network = Network(1.0, layers)
    network.layers = framed(lambda x: x * 10, network.layers, lambda x: -x)
    assert len(network.steps()) == layers
    x = mx.ones((1, 1, 1))
    assert result(network.pace.run(network.layers, x)).item() == applied(network.layers, x).item() == -10 - layers
