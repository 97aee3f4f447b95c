"""What engines run on a GPU, run here on any backend with Metal's arithmetic: other layers, types and batches.

It shows nothing about their speed. Each fixture runs one engine, and the last tests look at which lines they ran.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
import soundfile
import soxr
from engines.whisper.test_live import listen
from support import chattts_runs, cosyvoice_runs, fishspeech_runs, narrow_bridge, tiny_moshi, tiny_talker
from support.cpu_runs import on_cpu
from support.engine_runs import fed, run, sound
from support.gpu_branches import ROOT, choices, modules
from support.gpu_runs import GpuRuns
from support.quantised_whisper import quantised_whisper as make_quantised
from support.small_chat_model import small_chat_model, written
from support.spectra import decibels, magnitudes
from support.whisper_runs import sampled
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.engines import (
    AIM,
    LoadOptions,
    deepfilternet,
    ecapa,
    kokoro,
    llm,
    mlx_audio,
    qwen3_tts,
    silero,
    smart_turn,
    whisper,
)
from speechmlx.engines.lm.head import sharpen_head
from speechmlx.engines.lm.sampling import new_sampler
from speechmlx.engines.whisper.model.network import AudioEncoder
from speechmlx.engines.whisper.offline.encoder_pass import GPU_WINDOWS
from speechmlx.types import (
    Audio,
    DetectSpeech,
    DetectTurn,
    Diarize,
    Enhance,
    NamedVoice,
    Probability,
    Speak,
    SpeakerTurn,
    Transcribe,
)

if TYPE_CHECKING:
    from speechmlx.types import Samples

DATA = Path(__file__).parent / "data"
METAL = LoadOptions(dtype="float16", device="gpu")
SAID = {
    "The train leaves at nine.": "af_heart",
    "She reads the letter.": "bf_emma",
    "We walk to the river.": "am_adam",
}


@pytest.fixture(scope="module")
def on_gpu() -> GpuRuns:
    return GpuRuns()


@pytest.fixture(scope="module")
def load(model_folder: Callable[[str], Path], loaded: Callable[..., Any]) -> Callable[..., Any]:
    """load(module, model) → the engine of a row as a GPU has it."""
    return lambda module, name, options=METAL: loaded(module.load(model_folder(name), options))


# --- Kokoro --------------------------------------------------------------------------------------------------------


def spoken(engine: Any, text: str, voice: str) -> Samples:
    return sound(engine.run(Speak(text=text, voice=NamedVoice(voice))))


@pytest.fixture(scope="module")
def speech(on_gpu: GpuRuns, load: Callable[..., Any]) -> dict[str, Samples]:
    """What SAID sounds like in float16."""
    with on_gpu():
        engine = load(kokoro, "kokoro-82m")
        return {text: spoken(engine, text, voice) for text, voice in SAID.items()}


def test_speech_in_float16_is_that_of_float32(speech: dict[str, Samples], shared: Callable[[str], Any]) -> None:
    for text, voice in SAID.items():
        exact = spoken(shared("kokoro-82m"), text, voice)
        assert len(speech[text]) == len(exact), "durations are the same, frame by frame"
        assert np.abs(speech[text]).max() == pytest.approx(np.abs(exact).max(), rel=0.1)
        found = magnitudes(exact)
        assert decibels(found, found - magnitudes(speech[text])) > 25


def test_speech_in_float16_is_heard_word_for_word(speech: dict[str, Samples], shared: Callable[[str], Any]) -> None:
    plain = EnglishTextNormalizer()
    heard = soxr.resample(np.concatenate([speech[text] for text in SAID]), 24_000, 16_000).astype(np.float32)
    (events,) = run(shared("whisper-base"), Transcribe(audio=Audio(heard, 16_000), language="en", vad=False))
    assert plain("".join(getattr(event, "text", "") for event in events)) == plain(" ".join(SAID))


# --- Whisper -------------------------------------------------------------------------------------------------------


def clip_tokens(model: str, name: str) -> list[int]:
    """The reference's tokens of a clip."""
    with np.load(DATA / f"whisper-{model}.npz") as stored:
        return stored[f"{name}.tokens"].tolist()


@pytest.fixture(scope="module")
def audio_of(clip: Callable[[str], Path]) -> Callable[[str], Audio]:
    return lambda name: Audio(*soundfile.read(clip(name), dtype="float32"))


@dataclass
class Recognised:
    """Tokens of each clip of HEARD, which come at once, and numbers of windows encoded together."""

    tokens: list[list[int]]
    together: list[int]
    live: str = ""  # what a stream of LIVE says, with tiny.en


LIVE, PIECE = "librispeech", 8000
HEARD = {"tiny.en": ("jfk", "librispeech", "beckett", "librispeech"), "base": ("beckett",)}


@pytest.fixture(scope="module")
def recognised(on_gpu: GpuRuns, load: Callable[..., Any], audio_of: Callable[[str], Audio]) -> dict[str, Recognised]:
    """What the models of HEARD recognise in float16. One warm-up runs all lines of it."""
    together, start = list[int](), AudioEncoder.start

    def counted(encoder: AudioEncoder, mel: mx.array) -> mx.array:
        together.append(len(mel))
        return start(encoder, mel)

    found = dict[str, Recognised]()
    for model, names in HEARD.items():
        with on_gpu():
            engine = load(whisper, f"whisper-{model}", replace(METAL, warm_up=not found))
            engine.aim = 100.0  # nobody waits, and steps may take as long as they take here
            asked = partial(Transcribe, language="en", vad=False, words=True)
            together.clear()
            with patch.object(AudioEncoder, "start", counted):
                events = run(engine, *[asked(audio=audio_of(name)) for name in names])
            found[model] = Recognised(list(map(sampled, events)), [*together])
            if model == "tiny.en":
                found[model].live = listen(engine, audio_of(LIVE).samples, PIECE, policy="alignatt").text
    return found


def test_float16_hears_the_same_words_live(
    recognised: dict[str, Recognised], shared: Callable[[str], Any], audio_of: Callable[[str], Audio]
) -> None:
    exact = listen(shared("whisper-tiny.en"), audio_of(LIVE).samples, PIECE, policy="alignatt").text
    assert recognised["tiny.en"].live == exact and len(exact) > 40


@pytest.mark.parametrize("model", HEARD)
def test_float16_recognises_the_same_tokens(recognised: dict[str, Recognised], model: str) -> None:
    """And the windows of all clips are encoded at once, with tiny.en as many as a GPU takes."""
    assert recognised[model].tokens == [clip_tokens(model, name) for name in HEARD[model]]
    assert recognised[model].together == [GPU_WINDOWS if model == "tiny.en" else 1]


@pytest.fixture(scope="module")
def quantised_whisper(
    on_gpu: GpuRuns,
    model_folder: Callable[[str], Path],
    loaded: Callable[..., Any],
    audio_of: Callable[[str], Audio],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Any, list[int]]:
    """tiny.en in 8 bits, as mlx-whisper's converter writes it, and what it recognised."""
    folder = make_quantised(model_folder("whisper-tiny.en"), tmp_path_factory.mktemp("quantised"), bits=8)
    with on_gpu():
        engine = loaded(whisper.load(folder, replace(METAL, warm_up=False)))
        engine.aim = AIM  # somebody waits
        (events,) = run(engine, Transcribe(audio=audio_of("librispeech"), language="en", vad=False))
    return engine, sampled(events)


def test_quantised_weights_stay_so_and_recognise_the_same(quantised_whisper: tuple[Any, list[int]]) -> None:
    engine, found = quantised_whisper
    assert engine.nbytes < 60_000_000
    kinds = {type(layer) for layer in engine.network.leaf_modules()["decoder"]["blocks"][0]["attn"].values()}
    assert kinds == {nn.QuantizedLinear}
    timestamps = engine.vocabulary.eot
    words = [token for token in clip_tokens("tiny.en", "librispeech") if token < timestamps]
    assert [token for token in found if token < timestamps] == words


# --- Language models -----------------------------------------------------------------------------------------------


LONG = "Which of these words is not like the others? " + "sea sand " * 140
QUESTIONS = ("What is the capital of France?", "Write a haiku about the sea.", LONG)
"""The last is longer than what is read in a step on a GPU: float16 alone reads it."""
TYPES = ("float16", "bfloat16")


@pytest.fixture(scope="module")
def answers(on_gpu: GpuRuns, load: Callable[..., Any]) -> dict[str, list[list[int]]]:
    """The answers to QUESTIONS with weights of each of TYPES."""
    found = {}
    for kind in TYPES:
        with on_gpu():
            engine = load(llm, "smollm2-135m-instruct", replace(METAL, warm_up=False))
            engine._model.set_dtype(getattr(mx, kind))
            sharpen_head(engine._model)
            found[kind] = written(engine, *(QUESTIONS if kind == "float16" else QUESTIONS[:2]))
            assert new_sampler(0.0, 1.0, 2.0, None, compiled=True).sample(mx.array([1.0, 1.5]), [1]).item() == 0
    return found


def test_narrow_types_write_the_same_first_tokens(
    answers: dict[str, list[list[int]]], shared: Callable[[str], Any]
) -> None:
    exact = written(shared("smollm2-135m-instruct"), *QUESTIONS)
    assert answers["float16"] == exact
    assert answers["bfloat16"] == exact[:2]


@pytest.fixture(scope="module")
def quantised_llm(
    on_gpu: GpuRuns,
    model_folder: Callable[[str], Path],
    loaded: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Any, list[list[int]], list[list[int]]]:
    """A small model with 4-bit weights on a GPU, what it wrote, and what the same wrote on a CPU."""
    folder = small_chat_model(model_folder("smollm2-135m-instruct"), tmp_path_factory.mktemp("llm"), bits=4)
    with on_cpu() as options:
        plain = written(loaded(llm.load(folder, options)), *QUESTIONS[:2])
    with on_gpu():
        engine = loaded(llm.load(folder, METAL))
        return engine, written(engine, *QUESTIONS[:2]), plain


def test_quantised_weights_stay_so_and_write_the_same(
    quantised_llm: tuple[Any, list[list[int]], list[list[int]]],
) -> None:
    engine, found, plain = quantised_llm
    assert any(isinstance(layer, nn.QuantizedLinear) for _, layer in engine._model.named_modules())
    assert found == plain


# --- What is float32 everywhere, with TF32 products as an M5 has them -----------------------------------------------


@pytest.fixture(scope="module")
def cleaned(
    on_gpu: GpuRuns, load: Callable[..., Any], audio_of: Callable[[str], Audio]
) -> tuple[Samples, dict[bool, list[Samples]]]:
    """Noisy speech, and it cleaned in pieces of 20 and of 400 ms, with and without TF32."""
    audio = audio_of("librispeech")
    noisy = soxr.resample(audio.samples[: 2 * audio.rate], audio.rate, 48_000).astype(np.float32)
    noisy += np.random.default_rng(0).standard_normal(len(noisy), dtype=np.float32) * 0.01
    found = {}
    for tf32 in (False, True):
        with on_gpu(tf32=tf32):
            engine = load(deepfilternet, "deepfilternet3")
            found[tf32] = [enhanced(engine, noisy, piece) for piece in (960, 19_200)]
    return noisy, found


def enhanced(engine: Any, samples: Samples, piece: int) -> Samples:
    return sound(fed(engine.open(Enhance()), (samples[at : at + piece] for at in range(0, len(samples), piece))))


def test_it_cleans_as_it_does_on_a_cpu(
    cleaned: tuple[Samples, dict[bool, list[Samples]]], shared: Callable[[str], Any]
) -> None:
    noisy, found = cleaned
    exact = enhanced(shared("deepfilternet3"), noisy, 19_200)
    assert all(decibels(exact, exact - one) > 60 for one in found[False])
    assert all(decibels(exact, exact - one) > 50 for one in found[True])  # 55 dB: float32 products of 10 bits


@pytest.fixture(scope="module")
def voices(on_gpu: GpuRuns, load: Callable[..., Any], clip: Callable[[str], Path]) -> tuple[Audio, Samples, list[Any]]:
    """A dialogue, embeddings of its windows eight at a time, and who speaks when."""
    one, two = (soundfile.read(clip(name), dtype="float32")[0] for name in ("jfk", "librispeech"))
    audio = Audio(np.concatenate([one[4_800:51_200], np.zeros(9_600, np.float32), two]), 16_000)
    with on_gpu(tf32=True):
        engine = load(ecapa, "ecapa-diarizer")
        return audio, engine.embed(audio.samples[:40_000].reshape(8, -1)), list(engine.run(Diarize(audio=audio)))


def test_tf32_tells_speakers_apart_as_float32_does(
    voices: tuple[Audio, Samples, list[Any]], shared: Callable[[str], Any]
) -> None:
    audio, found, events = voices
    engine = shared("ecapa-diarizer")
    alone = np.concatenate([engine.embed(window[None]) for window in audio.samples[:40_000].reshape(8, -1)])
    assert (found * alone).sum(axis=1).min() > 0.9999
    assert [one for one in events if one] == [one for one in engine.run(Diarize(audio=audio)) if one]
    assert len({event.speaker for event in events if isinstance(event, SpeakerTurn)}) == 2


@pytest.fixture(scope="module")
def turn(on_gpu: GpuRuns, load: Callable[..., Any], audio_of: Callable[[str], Audio]) -> list[float]:
    """How sure it is that the turn has ended, within it and at its end."""
    with on_gpu(tf32=True):
        return turn_ends(load(smart_turn, "smart-turn-v3"), audio_of("beckett"))


def turn_ends(engine: Any, audio: Audio) -> list[float]:
    parts = (Audio(audio.samples[:length], audio.rate) for length in (35_000, 80_000, len(audio.samples)))
    return [event.value for part in parts for event in engine.run(DetectTurn(audio=part))]


def test_tf32_ends_a_turn_as_float32_does(
    turn: list[float], shared: Callable[[str], Any], audio_of: Callable[[str], Audio]
) -> None:
    assert turn == pytest.approx(turn_ends(shared("smart-turn-v3"), audio_of("beckett")), abs=1e-3)


def test_speech_is_detected_by_the_same_numbers(
    load: Callable[..., Any], shared: Callable[[str], Any], audio_of: Callable[[str], Audio]
) -> None:
    """Silero has no path of a GPU's: numpy computes it, in float32 whatever type the others have."""

    def probabilities(engine: Any) -> list[float]:
        events = engine.open(DetectSpeech()).feed(audio_of("librispeech").samples)
        return [event.value for event in events if isinstance(event, Probability)]

    assert probabilities(load(silero, "silero-vad")) == probabilities(shared("silero-vad"))


@pytest.fixture(scope="module")
def bridged(on_gpu: GpuRuns, loaded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """Bytes of a tiny float16 model of mlx-audio's on a CPU and on a GPU."""
    folder = narrow_bridge.write(tmp_path_factory.mktemp("bridged"))
    with on_gpu():
        narrow = narrow_bridge.work(folder, loaded, METAL)
    with on_cpu() as options:
        return loaded(mlx_audio.load(folder, options)).nbytes, narrow


def test_models_of_mlx_audio_keep_their_types(bridged: tuple[int, int]) -> None:
    assert bridged[0] > 1.5 * bridged[1]


@pytest.fixture(scope="module")
def talking(on_gpu: GpuRuns, loaded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """A tiny Qwen3-TTS with 8-bit weights on a GPU, the codes of its first frames, and those of a CPU."""
    imitator = tiny_talker.write(tmp_path_factory.mktemp("qwen3_tts") / "base", "base")
    folder = tiny_talker.write(tmp_path_factory.mktemp("qwen3_tts") / "weights", "custom_voice", bits=8)
    with on_cpu() as options:
        plain = tiny_talker.frames(loaded(qwen3_tts.load(folder, options)))
    with on_gpu():
        loaded(qwen3_tts.load(imitator, replace(METAL, warm_up=False)))
        engine = loaded(qwen3_tts.load(folder, replace(METAL, warm_up=False)))
        decoder = engine._codec.decoder
        fused = decoder._run  # traced, but not built: its code is compared nowhere, and a C++ compiler takes seconds
        decoder._run = lambda *given: (fused(*given), decoder._compute(*given))[1]
        return [engine, tiny_talker.frames(engine), plain]


def test_a_compiled_predictor_on_quantised_weights_speaks_the_same(talking: list[Any]) -> None:
    engine, found, plain = talking
    assert any(isinstance(layer, nn.QuantizedLinear) for _, layer in engine._talker.named_modules())
    assert found == plain
    assert len(found) == 2


# --- Nothing is left out -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("speech", "recognised", "quantised_whisper", "answers", "quantised_llm", "cleaned", "voices")
@pytest.mark.usefixtures("turn", "bridged", "talking")
def test_all_that_only_a_gpu_runs_was_run(on_gpu: GpuRuns, loaded: Callable[..., Any], tmp_path: Path) -> None:
    with on_gpu():
        tiny_moshi.answer_in_narrow_types(tmp_path, loaded, METAL)
        for runs in (chattts_runs, cosyvoice_runs, fishspeech_runs):
            runs.speak_in_narrow_types(tmp_path / runs.__name__, loaded, METAL)
    left: dict[str, list[int]] = {}
    for path in modules():
        for choice in choices(path):
            if lines := choice.lines & on_gpu.missing(choice.path):
                left[f"{choice.path.relative_to(ROOT)} {choice.name}"] = sorted(lines)
    assert not left
