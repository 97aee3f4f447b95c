"""Networks that compute NaN once they are loaded, in engines that test_not_finite.py has no starter model of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import f5_model, tiny_moshi
from support.broken_weights import break_weights
from support.engine_runs import fed, run
from support.funasr_models import paraformer_files, punctuation_files, sensevoice_files
from support.small_checkpoints import numbers
from support.tiny_cosyvoice import write_folder
from support.tiny_cosyvoice_first import write_first

from speechmlx.engines import LoadOptions, cosyvoice, f5, fsmn_vad, moshi, paraformer, sensevoice
from speechmlx.engines.cosyvoice.generation import THIRD
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.warm_up import noise
from speechmlx.models.convert import funasr
from speechmlx.types import Audio, Converse, DetectSpeech, End, Feed, ReferenceVoice, Respond, Speak, Transcribe

RATE = 16_000
LOUD = noise(1.0, RATE)
RECORDING = Audio(numbers(1, 24_000) * np.float32(0.1), 24_000)
QUESTION = Respond(audio=noise(0.3, 24_000), max_steps=2)

Load = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path, loaded: Load, cold: LoadOptions, model_folder: Callable[[str], Path]) -> Load:
    """read(name) → a small engine."""

    def with_vad(name: str, convert: Callable[[Path, Path], Any], files: Callable[[Path], Path]) -> Path:
        home = tmp_path / name
        home.mkdir()
        convert(files(tmp_path / "files"), home)
        shutil.copytree(model_folder("fsmn-vad"), home / "vad")
        return home

    def punctuated() -> Path:
        home = with_vad("paraformer", funasr.paraformer, paraformer_files)
        (home / "punctuation").mkdir()
        funasr.punctuation(punctuation_files(tmp_path / "marks"), home / "punctuation")
        return home

    kinds: dict[str, tuple[Load, Callable[[], Path]]] = {
        "moshi": (moshi.load, lambda: tiny_moshi.folder(tmp_path / "moshi", 8)),
        "personaplex": (moshi.load, lambda: tiny_moshi.folder(tmp_path / "personaplex", 16)),
        "cosyvoice1": (cosyvoice.load, lambda: write_first(tmp_path / "cosyvoice1")),
        "cosyvoice1-sft": (cosyvoice.load, lambda: write_first(tmp_path / "sft", "cosyvoice1-sft")),
        "cosyvoice2": (cosyvoice.load, lambda: write_folder(tmp_path / "cosyvoice2")),
        "cosyvoice3": (cosyvoice.load, lambda: write_folder(tmp_path / "cosyvoice3", generation=THIRD)),
        "f5": (f5.load, lambda: f5_model.write_model(tmp_path / "f5", "version_1")),
        "paraformer": (paraformer.load, punctuated),
        "sensevoice": (sensevoice.load, lambda: with_vad("sensevoice", funasr.sensevoice, sensevoice_files)),
        "fsmn-vad": (fsmn_vad.load, lambda: model_folder("fsmn-vad")),
    }
    for path in ("moshi", "personaplex", "cosyvoice1", "sft", "cosyvoice2", "cosyvoice3", "f5"):
        (tmp_path / path).mkdir()

    def make(name: str, options: LoadOptions = cold) -> Any:
        load, write = kinds[name]
        return loaded(load(write(), options))

    return make


def conversed(engine: Any) -> None:
    """A live conversation."""
    state = engine.begin(Converse())
    engine.feed(state, Feed(noise(0.5, 24_000).samples))
    engine.feed(state, End())
    while not state.finished:
        for event in engine.step([state])[0]:
            if isinstance(event, Exception):
                raise event


def speak(engine: Any) -> None:
    run(engine, Speak(text="Hi."))


def imitate(engine: Any) -> None:
    run(engine, Speak(text="Hi.", options={"prompt_speech": RECORDING}))


def transcribe(engine: Any) -> None:
    run(engine, Transcribe(audio=LOUD, vad=False))


def find_and_transcribe(engine: Any) -> None:
    run(engine, Transcribe(audio=LOUD))


def answer(engine: Any) -> None:
    run(engine, QUESTION)


def say_in_a_voice(engine: Any) -> None:
    list(engine.run(Speak(text="Hi.", voice=ReferenceVoice(LOUD, "Hello there.", "one"), options={"steps": 1})))


def ask_a_voice(engine: Any) -> None:
    run(engine, replace(QUESTION, voice=ReferenceVoice(LOUD, "", "one")))


def whole(engine: Any) -> Any:
    return engine


# Engine, the part of it that breaks, its request, the stage that the error names.
CASES: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "moshi": ("moshi", whole, answer, "the network"),
    "moshi's network": ("moshi", lambda engine: engine._step.network, conversed, "the network"),
    "moshi's text": ("moshi", lambda engine: engine._step.network.text_linear, conversed, "the network"),
    "moshi's codebooks": ("moshi", lambda engine: engine._step.network.depformer, conversed, "the network's codebooks"),
    "moshi's encoder": ("moshi", lambda engine: engine._step.codec.encoder, conversed, "the codec's encoder"),
    "moshi's decoder": ("moshi", lambda engine: engine._step.codec.decoder, conversed, "the codec's decoder"),
    "personaplex": ("personaplex", lambda engine: engine._step.network, answer, "the reading of a prompt"),
    "personaplex's encoder": ("personaplex", lambda engine: engine._step.codec, ask_a_voice, "the codec's encoder"),
    "personaplex live": ("personaplex", lambda engine: engine._step.network, conversed, "the reading of a prompt"),
    "cosyvoice1": ("cosyvoice1", whole, imitate, "the speech tokens of a recording"),
    "cosyvoice1-sft": ("cosyvoice1-sft", whole, speak, "the logits of the next speech token"),
    "cosyvoice2": ("cosyvoice2", whole, speak, "the logits of the next speech token"),
    "cosyvoice2's recording": ("cosyvoice2", whole, imitate, "the speech tokens of a recording"),
    "cosyvoice2's flow": ("cosyvoice2", lambda engine: engine._new_sound, speak, "the synthesis of a spectrogram"),
    "cosyvoice3": ("cosyvoice3", whole, speak, "the logits of the next speech token"),
    "f5": ("f5", whole, say_in_a_voice, "the synthesis of speech"),
    "paraformer": ("paraformer", lambda engine: engine._batch._network, transcribe, "the recognition of speech"),
    "paraformer's vad": ("paraformer", lambda engine: engine._vad, find_and_transcribe, "the detection of speech"),
    "sensevoice": ("sensevoice", lambda engine: engine._batch._network, transcribe, "the recognition of speech"),
    "sensevoice's vad": ("sensevoice", lambda engine: engine._vad, find_and_transcribe, "the detection of speech"),
    "fsmn-vad": ("fsmn-vad", whole, lambda engine: fed(engine.open(DetectSpeech()), [LOUD.samples]), "the detection"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_request_fails(read: Load, case: str) -> None:
    name, part, request, stage = CASES[case]
    engine = read(name)
    break_weights(part(engine))
    for _ in range(2):
        with pytest.raises(NotFinite, match=f"^{stage}.* gave values that are not finite numbers"):
            request(engine)
    if name == "personaplex":
        assert engine._prompts.nbytes == 0, "no later conversation in that voice begins with what was read"


def test_f5_without_voices_imitates_a_noise_while_it_loads(loaded: Load, tmp_path: Path, options: LoadOptions) -> None:
    folder = f5_model.write_model(tmp_path, "version_1")
    shutil.rmtree(folder / "voices")
    stages = []

    def noted() -> Any:
        steps = f5.load(folder, options)
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                return end.value
            stages.append(progress.stage)
            yield progress

    engine = loaded(noted())
    assert stages[-1] == "warm_up" and not engine.voices
    assert not len(engine.known), "the noise is forgotten"
