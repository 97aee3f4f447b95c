"""Reference numbers for tests/engines/test_smart_turn.py: Smart Turn v3.2's ONNX export on prefixes of a clip.

python scripts/parity/smart_turn.py SMART_TURN_ONNX BECKETT_WAV > tests/engines/data/smart_turn.json
(needs onnxruntime, onnx, numpy, soundfile). The export is quantised, activations too; it is run with the quantising of
activations taken out, so that only its weights are what ours are. Features are written here once more, in float64.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
import soundfile

SECONDS = (0.5, 1.0, 1.8, 2.2, 3.0, 4.0, 5.0, 7.0, 9.9)


def without_activation_quantising(path: str) -> bytes:
    model = onnx.load(path)
    constants = {item.name for item in model.graph.initializer}
    renamed: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
        elif node.op_type == "DequantizeLinear" and node.input[0] in renamed:
            renamed[node.output[0]] = renamed[node.input[0]]
        else:
            kept.append(node)
    for node in kept:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    for output in model.graph.output:
        source = renamed.get(output.name)
        if source:
            kept.append(onnx.helper.make_node("Identity", [source], [output.name]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model.SerializeToString()


def features(samples: np.ndarray) -> np.ndarray:
    samples = np.pad(samples[-128_000:].astype(np.float64), (max(0, 128_000 - len(samples)), 0))
    samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    padded = np.pad(samples, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.array([np.abs(np.fft.rfft(padded[i * 160 : i * 160 + 400] * window)) ** 2 for i in range(800)])

    def hertz(mel: float) -> float:
        return 200 / 3 * mel if mel < 15 else 1000 * np.exp(np.log(6.4) / 27 * (mel - 15))

    corners = [hertz(mel) for mel in np.linspace(0, 15 + np.log(8) / (np.log(6.4) / 27), 82)]
    bank = np.zeros((80, 201))
    for i, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        for j, frequency in enumerate(np.linspace(0, 8000, 201)):
            side = min((frequency - low) / (middle - low), (high - frequency) / (high - middle))
            bank[i, j] = max(side, 0) * 2 / (high - low)
    levels = np.log10(np.maximum(bank @ power.T, 1e-10))
    return ((np.maximum(levels, levels.max() - 8) + 4) / 4).astype(np.float32)


if __name__ == "__main__":
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # or it quantises again
    plain.log_severity_level = 3
    session = onnxruntime.InferenceSession(without_activation_quantising(sys.argv[1]), plain)
    as_shipped = onnxruntime.InferenceSession(sys.argv[1])
    samples, rate = soundfile.read(sys.argv[2], dtype="float32")
    assert rate == 16000
    found = {}
    for seconds in SECONDS:
        given = {"input_features": features(samples[: int(seconds * rate)])[None]}
        (value,), (shipped,) = session.run(None, given), as_shipped.run(None, given)
        found[seconds] = [round(float(value[0, 0]), 6), round(float(shipped[0, 0]), 4)]
    json.dump(found, sys.stdout)
