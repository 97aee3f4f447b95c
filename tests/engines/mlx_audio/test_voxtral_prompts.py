"""Voxtral's speech without mistral_common: its prompts are those of that package, and its voices are checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load, LoadFolder
from engines.mlx_audio.test_families import alone
from support import tiny_bridge
from support.engine_runs import pcm
from support.tiny_tekken import MARKS, VOICES, tekken

from speechmlx.engines.mlx_audio.voxtral_prompts import SpeechPrompts
from speechmlx.errors import BadRequest, SpeechError, UnknownVoice, Unsupported
from speechmlx.types import Audio, NamedVoice, ReferenceVoice, Speak, SpeakStream

NUMBERS = Path(__file__).parents[1] / "data" / "voxtral_prompts.json"
"""Voice → text → tokens of mistral_common: scripts/parity/voxtral_prompts.py."""
TEXT = "Hello, world. The boats are lit!"
SHORT = {"max_tokens": 20}


@pytest.mark.parametrize("voice", VOICES)
def test_prompts_are_those_of_mistral_common(voice: str) -> None:
    prompts, told = SpeechPrompts(tekken()), json.loads(NUMBERS.read_bytes())[voice]
    assert len(told) == 10
    assert {text: prompts.tokens(text, voice) for text in told} == told
    assert max(map(len, told.values())) > 80


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    told = tekken()
    edit(told)
    (folder / "tekken.json").write_text(json.dumps(told))


def swap(told: dict[str, Any]) -> None:
    told["vocab"][300], told["vocab"][301] = told["vocab"][301], told["vocab"][300]


def twice(told: dict[str, Any]) -> None:
    told["vocab"][301] |= {"token_bytes": told["vocab"][300]["token_bytes"]}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (swap, "entry 300 is not in its place"),
        (twice, "entry 301 is not in its place"),
        (lambda told: told["vocab"][7].update(token_bytes="AA=="), "entry 7 is not in its place"),
        (lambda told: told["vocab"][7].update(token_bytes="?"), "ValueError|Error"),
        (lambda told: told["config"].update(default_vocab_size=100), "it has 384 entries, of which 60 should count"),
        (lambda told: told["config"].update(pattern="("), "no readable tekken.json"),
        (lambda told: told["special_tokens"].pop(MARKS.index("[NEXT_AUDIO_TEXT]")), r"NEXT_AUDIO_TEXT"),
        (lambda told: told.pop("audio"), "KeyError: 'audio'"),
        (lambda told: told.update(special_tokens=None), "TypeError"),
    ],
)
def test_a_tokenizer_that_is_none(
    tmp_path: Path, load: LoadFolder, edit: Callable[[dict[str, Any]], object], says: str
) -> None:
    folder = tiny_bridge.write("tts/voxtral_tts", tmp_path / "model")
    change(folder, edit)
    with pytest.raises(SpeechError, match=says) as refused:
        load(folder)
    assert "the model folder 'model' has no readable tekken.json" in str(refused.value)


def leave(folder: Path) -> None:
    for path in (folder / "voice_embedding").iterdir():
        path.unlink()


def save(folder: Path, rows: int, value: float) -> None:
    path = folder / "voice_embedding" / "casual_male.safetensors"
    mx.save_safetensors(str(path), {"embedding": mx.full((rows, 32), value)})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (leave, "no voice: voice_embedding/NAME.safetensors, where NAME is one of casual_male, fr_female, casual_fe"),
        (lambda folder: save(folder, 2, 1.0), "the voice 'casual_male' has the shape [2, 32], not [3, 32] as tekken"),
        (lambda folder: save(folder, 3, np.nan), "'casual_male' hold values that are not finite numbers"),
        (lambda folder: (folder / "voice_embedding/casual_male.safetensors").write_bytes(b"x"), "cannot be read"),
        (lambda folder: (folder / "voice_embedding/casual_male.pt").write_bytes(b"x"), "that may hold code"),
        (lambda folder: (folder / "tekken.json").unlink(), "no readable tekken.json (FileNotFoundError"),
    ],
)
def test_voices_that_do_not_fit(tmp_path: Path, load: LoadFolder, damage: Callable[[Path], object], says: str) -> None:
    folder = tiny_bridge.write("tts/voxtral_tts", tmp_path / "model")
    damage(folder)
    with pytest.raises(SpeechError, match=re.escape(says)):
        load(folder)


def test_voices_sound_different(bridged: Load) -> None:
    """The first that the folder has is that of a request without one; one without a file is none."""
    engine = bridged("tts/voxtral_tts")
    assert engine.voices == ("casual_male", "fr_female")
    spoken = [
        pcm(engine.run(Speak(text=TEXT, voice=voice, options=SHORT)))
        for voice in (None, NamedVoice("casual_male"), NamedVoice("FR_Female"))
    ]
    assert spoken[0] == spoken[1] != spoken[2]
    with pytest.raises(UnknownVoice, match="no voice 'casual_female'; the voices are casual_male, fr_female"):
        engine.run(Speak(text=TEXT, voice=NamedVoice("casual_female")))
    recording = ReferenceVoice(Audio(np.ones(24000, np.float32), 24000), "", "x")
    with pytest.raises(Unsupported, match="cannot imitate the voice of a recording; its voices are casual_male"):
        engine.run(Speak(text=TEXT, voice=recording))


def test_a_text_that_is_still_written_and_chunks_sound_as_the_whole(bridged: Load) -> None:
    """A chunk is decoded with the 16 frames before it; others before change nothing that is heard."""
    engine = bridged("tts/voxtral_tts")
    whole = pcm(engine.run(Speak(text=TEXT, options=SHORT)))
    stream = engine.open(SpeakStream(options=SHORT))
    parts = [event for at in range(0, len(TEXT), 3) for event in stream.feed_text(TEXT[at : at + 3])]
    assert pcm(parts)
    assert pcm([*parts, *stream.finish()]) == whole
    stream.close()
    for interval in (0.08, 0.16):
        events = alone(engine.run(Speak(text=TEXT, options={**SHORT, "streaming_interval": interval})))
        assert len(events) == 1 + 2 * round(1.6 / interval), "two sentences of 20 frames"
        chunked = np.frombuffer(pcm(events), "<i2").astype(int)
        assert np.abs(chunked - np.frombuffer(whole, "<i2")).max() <= 1


def test_a_text_of_markup_alone(bridged: Load) -> None:
    with pytest.raises(BadRequest, match="'<br1>' is markup alone: there is no word in it"):
        alone(bridged("tts/voxtral_tts").run(Speak(text="<br1>")))
