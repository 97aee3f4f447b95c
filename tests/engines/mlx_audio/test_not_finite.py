"""Every family with a tiny model whose network computes NaN: its load and each of its requests say so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from engines.mlx_audio.hearing_live import listened, talk
from engines.mlx_audio.test_families import job, noise
from support import tiny_bridge
from support.broken_weights import break_weights
from support.engine_runs import fed

from speechmlx.engines import LoadOptions, mlx_audio
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.mlx_audio import cooperative, tree
from speechmlx.engines.mlx_audio.cooperative import Emit, steps
from speechmlx.engines.mlx_audio.diarization import FrameTurns
from speechmlx.engines.mlx_audio.first_request import first_request, spoken
from speechmlx.engines.mlx_audio.imitation import ImitatedVoices
from speechmlx.engines.mlx_audio.live import LIVE
from speechmlx.engines.mlx_audio.phonemizers import provide
from speechmlx.engines.mlx_audio.result_checks import LARGEST, CompiledStep, ResultChecks
from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.types import DiarizeStream, ReferenceVoice, Speak, TextDelta

Broken = Callable[..., Any]
HEADS: dict[str, Callable[[Any], nn.Module]] = {
    "tts/breeze_tts": lambda model: model.depth_decoder.codebooks_head,
    "tts/fish_drama3": lambda model: model.semantic_head,
    "tts/omnivoice": lambda model: model.audio_heads[-1],
    "tts/fish_qwen3_omni": lambda model: model.model.fast_output,
    "stt/parakeet": lambda model: model.joint.joint_net[-1],
    "stt/qwen2_audio": lambda model: model.language_model.lm_head,
    "stt/qwen3_forced_aligner": lambda model: model.lm_head,
    "stt/mms": lambda model: model.lm_head,
}
"""What gives the logits of some families."""


@pytest.fixture
def broken(
    tmp_path: Path,
    loaded: Callable[..., Any],
    options: LoadOptions,
    cold: LoadOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> Broken:
    """broken(family) → the engine of a tiny model that is broken between its weights and its first request."""
    folders: dict[str, Path] = {}

    def load(name: str, part: Callable[[Any], Any] = lambda model: model, warm: bool = False) -> Any:
        def provide_and_break(family: str, model: Any) -> None:
            provide(family, model)
            break_weights(part(model))

        folder = folders.get(name) or folders.setdefault(name, tiny_bridge.write(name, tmp_path / "weights"))
        monkeypatch.setattr(mlx_audio, "provide", provide_and_break)
        return loaded(mlx_audio.load(folder, options if warm else cold))

    return load


def run(steps: Any) -> None:
    """An event that is an error is raised."""
    for event in steps:
        if isinstance(event, Exception):
            raise event


@pytest.mark.parametrize("name", list(tiny_bridge.BUILDERS))
def test_its_load_and_its_requests_fail(broken: Broken, name: str) -> None:
    with pytest.raises(NotFinite):
        broken(name, warm=True)
    engine = broken(name)
    for seed in (0, 1):
        with pytest.raises(NotFinite, match="not finite numbers: its weights or the device are at fault"):
            run(job(engine, seed))


@pytest.mark.parametrize("name", list(HEADS))
def test_a_head_alone(broken: Broken, name: str) -> None:
    with pytest.raises(NotFinite, match=r"^the network"):
        run(job(broken(name, HEADS[name]), 0))


@pytest.mark.parametrize("family", list(LIVE))
def test_live_recognition(broken: Broken, family: str) -> None:
    with pytest.raises(NotFinite):
        listened(broken(f"stt/{family}"), talk(3.0))


@pytest.mark.parametrize("family", ["sortformer", "nemotron_diarization"])
def test_live_diarization(broken: Broken, family: str) -> None:
    engine = broken(f"vad/{family}")
    with pytest.raises(NotFinite):
        fed(engine.open(DiarizeStream()), [noise(3.0, 0).samples])
    with pytest.raises(NotFinite, match=r"^telling speakers apart"):
        list(FrameTurns(engine, live=False).push(noise(3.0, 0).samples, final=True))  # where no job looks at layers


def test_the_last_layer_before_the_sound(broken: Broken) -> None:
    engine = broken("tts/kitten_tts", lambda model: model.decoder.generator.conv_post)
    with pytest.raises(NotFinite, match=r"^the synthesis of speech"):
        run(job(engine, 0))


def test_nothing_is_kept_of_a_voice(broken: Broken) -> None:
    def projection(model: Any) -> None:
        """What no layer is: the last product of an encoding."""
        model.speaker_proj_weight = mx.full(model.speaker_proj_weight.shape, mx.nan)

    engine = broken("tts/pocket_tts", projection)
    with pytest.raises(NotFinite, match=r"^the encoding of a voice"):
        run(engine.run(Speak(text="Hello.", voice=ReferenceVoice(noise(1.0, 0, 24_000), "One", "one"))))
    assert len(engine.imitated) == 0


def test_a_model_without_voices_imitates_a_noise_while_it_loads(
    loaded: Callable[..., Any],
    tmp_path: Path,
    options: LoadOptions,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And forgets it."""
    heard, teach = list[str](), ImitatedVoices.teach

    def note(voices: ImitatedVoices, model: Any, voice: ReferenceVoice) -> None:
        heard.append(voice.id)
        teach(voices, model, voice)

    monkeypatch.setattr(ImitatedVoices, "teach", note)
    folder = tiny_bridge.write("tts/pocket_tts", tmp_path / "weights")
    for voice in folder.glob("*/*.safetensors"):
        voice.unlink()
    engine = loaded(mlx_audio.load(folder, options))
    assert not engine.voices and heard == ["warm-up"] and len(engine.imitated) == 0
    assert "not warmed up" not in caplog.text


def failing(error: Exception) -> Callable[..., Any]:
    def generate(*given: Any, **more: Any) -> Any:
        raise error

    return generate


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("say more"),
        ValueError("say more"),
        AssertionError("say more"),
        IndexError("say more"),
        FileNotFoundError(2, "No such file", "voice.wav"),
        ValueError("[stack] No arrays provided: say more"),
    ],
)
def test_a_family_that_wants_more_is_not_warmed_up(
    bridged: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    engine = bridged("stt/mms")
    monkeypatch.setattr(engine.checkpoint.model, "generate", failing(error))
    assert list(first_request(engine)) == []
    assert f"mms was not warmed up: {error}" in caplog.messages


@pytest.mark.parametrize(
    "error", [RuntimeError("[METAL] lost"), ValueError("[matmul] shapes do not fit"), EngineFailed("it speaks at 1 Hz")]
)
def test_what_no_request_could_do_fails_the_load(
    bridged: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = bridged("stt/mms")
    monkeypatch.setattr(engine.checkpoint.model, "generate", failing(error))
    with pytest.raises(type(error), match=re.escape(str(error))):
        list(first_request(engine))


def test_the_warm_up_is_short(loaded: Callable[..., Any], tmp_path: Path, cold: LoadOptions) -> None:
    """No tiny model of speech finds an end by itself."""
    engine = loaded(mlx_audio.load(tiny_bridge.write("tts/soprano", tmp_path / "weights"), cold))
    assert spoken(engine.checkpoint).options == {"max_tokens": 12}
    assert {event.stage for event in first_request(engine)} == {"warm_up"}


# --- What is looked at ------------------------------------------------------------------------------------------------


class Recogniser(nn.Module):  # type: ignore[misc]
    """Blocks, a norm and a head, as those of a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.tied = nn.Embedding(8, 4), nn.Embedding(8, 4)
        self.layers = [nn.TransformerEncoderLayer(4, 2, 8) for _ in range(3)]
        self.norm = nn.RMSNorm(4)
        self.heads = [nn.Linear(4, 8), nn.Linear(4, 8)]
        self._compiled_tdt_step = self._tdt_step

    def __call__(self, tokens: mx.array) -> mx.array:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, None)
        return self._tdt_step(self.norm(x))

    def _tdt_step(self, x: mx.array) -> mx.array:
        return self.heads[1](self.heads[0](x)[..., :4])


@pytest.fixture
def recogniser() -> Recogniser:
    made = Recogniser()
    cooperative.hook(made)
    return made


def decoded(model: Recogniser, count: int) -> list[Any]:
    def work(emit: Emit) -> None:
        token = mx.array([[1]])
        for _ in range(count):
            token = mx.argmax(model(token), axis=-1)
            mx.eval(token)
        emit(TextDelta("end"))

    return list(steps(work, 0))


def test_heads_and_the_last_norm_are_looked_at_and_what_lies_in_blocks_is_not(recogniser: Recogniser) -> None:
    called, tied = ("__call__",), ("as_linear",)
    wanted = [(recogniser.norm, called), (recogniser.embed, tied), (recogniser.tied, tied)]
    wanted += [(head, called) for head in recogniser.heads]
    found = {(id(layer), methods) for layer, methods in tree.outer_layers(recogniser)}
    assert found == {(id(layer), methods) for layer, methods in wanted}


def test_logits_by_the_weights_of_an_embedding(recogniser: Recogniser) -> None:
    recogniser.tied.weight = mx.full((8, 4), mx.nan)

    def work(emit: Emit) -> None:
        mx.eval(recogniser.tied(mx.array([1])))
        emit(TextDelta("its rows are not looked at"))
        mx.eval(mx.argmax(recogniser.tied.as_linear(mx.ones((1, 4)))))

    job = steps(work, 0)
    assert next(job) == TextDelta("its rows are not looked at")
    with pytest.raises(NotFinite):
        next(job)


def test_a_token_costs_a_maximum_of_each_and_one_look_for_many(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            calls[name] += 1
            return function(*given)

        return call

    monkeypatch.setattr(mx, "max", counted("maxima", mx.max))
    monkeypatch.setattr(ResultChecks, "compute", counted("looks", ResultChecks.compute))
    monkeypatch.setattr(cooperative, "STEP", 1000.0)  # no layer is slow
    count, blocks = 256, len(recogniser.layers) + len(recogniser.heads)
    decoded(recogniser, count)
    doubling = 1 + 2 + 4 + 8 + 16 + 32
    assert calls["looks"] <= count * blocks / cooperative.MOST + doubling, "as often as a job is evaluated anyway"
    assert 3 * count <= calls["maxima"] <= 3 * count + calls["looks"]


@pytest.mark.parametrize("value", [mx.nan, mx.inf])
def test_a_head_that_gives_no_numbers(recogniser: Recogniser, value: float) -> None:
    recogniser.heads[1].bias = mx.full((8,), value)
    with pytest.raises(NotFinite, match=r"^the network"):
        decoded(recogniser, 3)


def test_what_is_masked_is_a_number(recogniser: Recogniser) -> None:
    recogniser.heads[1].bias = mx.where(mx.arange(8) < 4, -mx.inf, 0.0)
    assert decoded(recogniser, 3)[-1] == TextDelta("end")


def test_an_error_of_the_work_on_such_numbers_is_the_networks(recogniser: Recogniser) -> None:
    recogniser.norm.weight = mx.full((4,), mx.nan)

    def work(emit: Emit) -> None:
        raise ValueError(f"no token {mx.max(recogniser(mx.array([[1]]))).item()}")

    with pytest.raises(NotFinite):
        list(steps(work, 0))


def test_a_job_that_is_closed_says_nothing_of_them(recogniser: Recogniser, every_layer: None) -> None:
    ends = []

    def work(emit: Emit) -> None:
        recogniser.norm(mx.full((1, 4), mx.nan))
        try:
            cooperative.rest()
        finally:
            ends.append("unwound")
            emit(TextDelta("not heard"))

    job = steps(work, 0)
    assert next(job) is None
    job.close()  # type: ignore[attr-defined]
    assert ends == ["unwound"]
    with pytest.raises(NotFinite):
        list(steps(work, 0))


def test_a_large_result_that_nobody_needs_is_not_computed() -> None:
    checks = ResultChecks()
    checks.note((mx.zeros(LARGEST + 1), mx.zeros(0), mx.zeros(3, mx.int32), None))
    assert not checks.waiting
    checks.note([mx.zeros(LARGEST)])
    assert len(checks.waiting) == 1
    checks.compute(())
    assert not checks.waiting


def test_a_compiled_step_is_looked_at_in_each_call(recogniser: Recogniser) -> None:
    found = []

    def work(emit: Emit) -> None:
        for number in (1.0, 2.0, mx.nan):
            found.append(np.array(recogniser._compiled_tdt_step(mx.full((1, 4), number))))
        emit(TextDelta("never"))

    mx.enable_compile()  # which is off on a CPU
    try:
        with pytest.raises(NotFinite):
            list(steps(work, 0))
    finally:
        mx.disable_compile()
    np.testing.assert_allclose(found[1], np.array(recogniser._tdt_step(mx.full((1, 4), 2.0))), rtol=1e-5)
    assert CompiledStep.tracing is None
