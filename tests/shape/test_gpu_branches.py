"""Where engines choose by device is found: tests/engines/test_gpu_path.py runs what a GPU chooses."""

from __future__ import annotations

from support.gpu_branches import ROOT, choices, modules, unknown

KNOWN = {
    "deepfilternet/__init__.py": {"load"},
    "deepfilternet/network.py": {"_Recurrent.__init__", "_fused_gru"},
    "ecapa/engine.py": {"load"},
    "kokoro/encoder.py": {"_gelu_of", "_gelu"},
    "kokoro/engine.py": {"build"},
    "kokoro/layers.py": {"conv", "snake_conv", "lstm", "_lstm_step"},
    "llm/__init__.py": {"load"},
    "llm/checkpoint.py": {"read_model"},
    "mlx_audio/checkpoint.py": {"read"},
    "qwen3_tts/loading.py": {"read_engine"},
    "qwen3_tts/predictor.py": {"as_function"},
    "smart_turn.py": {"load", "Network.__init__", "_fused_attention"},
    "whisper/model/weights.py": {"load_network", "_attend"},
    "whisper/offline/batch.py": {"WindowBatch.__init__"},
    "whisper/offline/encoder_pass.py": {"windows_at_once"},
}
"""Functions that choose by device, as a check on how they are found."""


def test_choices_by_device_are_found() -> None:
    found = {path.relative_to(ROOT / "engines").as_posix(): {one.name for one in choices(path)} for path in modules()}
    assert {name: names & found.get(name, set()) for name, names in KNOWN.items()} == KNOWN
    assert not [use for path in modules() for use in unknown(path)]
