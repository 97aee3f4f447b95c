"""Counts of engines whose published weights are not to be had here, from small networks with random weights.

A layer launches what it launches in a published model. Qwen3-TTS's talker and Moshi have as many layers over frames as
those; the others have fewer. All are narrow: their bytes compare revisions, and tell nothing of a published model.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import soundfile
import talkers
import talkers_moshi
from graphs import Counts, Watch, usual
from support import (
    clips,
    f5_model,
    funasr_models,
    melo_model,
    tiny_bridge,
    tiny_chattts,
    tiny_cosyvoice,
    tiny_fishspeech,
)

from speechmlx.engines import Batched
from speechmlx.engines.chattts.speech_request import ChatPiece
from speechmlx.engines.melotts.arpabet import PHONES
from speechmlx.engines.parts.pace import applied
from speechmlx.engines.parts.vocos import BANDS
from speechmlx.models import catalog, store
from speechmlx.models.convert import funasr
from speechmlx.types import Audio, Converse, End, Feed, NamedVoice, Request, Speak, Transcribe

TEXT = "Hello there, I hear."
SECONDS = 5
"""Of speech that is recognised."""
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "there", "i", "hear", ",", ".")
FRAMES = 16
"""Frames of speech of models that say when it ends: random ones may never."""

Steps = Iterator[tuple[str, Counts]]
Part = tuple[Any, str, str]
"""A method by its owner and name, and what it is called in the table."""


@dataclass(frozen=True)
class SmallModel:
    """How to write the folder of a small model, and what to count of its engine."""

    engine: str
    """The import string of its `load`, as in the catalog."""
    write: Callable[[Path], Path]
    look: Callable[[Any, Watch], Steps]


def all_events(engine: Any, request: Request) -> None:
    """Run a request to its end."""
    if not isinstance(engine, Batched):
        list(engine.run(request))
        return
    state = engine.begin(request)
    while not state.finished:
        engine.step([state])
    engine.end(state)


def in_parts(engine: Any, watch: Watch, request: Request, each: Sequence[Part], whole: Sequence[Part] = ()) -> Steps:
    """What a call of `each` counts in most cases, and all calls of `whole` together, while `request` is answered."""
    found = dict[str, list[Counts]]()
    with ExitStack() as stack:
        for owner, name, title in (*each, *whole):
            counted = _counted(getattr(owner, name), watch, found.setdefault(title, []))
            stack.enter_context(patch.object(owner, name, counted))
        all_events(engine, request)
    for _, _, title in each:
        yield title, usual(found[title])
    for _, _, title in whole:
        yield title, sum(found[title], Counts())


def _counted(function: Callable[..., Any], watch: Watch, found: list[Counts]) -> Callable[..., Any]:
    def run(*args: Any, **named: Any) -> Any:
        watch.take()
        value = function(*args, **named)
        if (counts := watch.take()).total:
            found.append(counts)
        return value

    return run


def cosyvoice(engine: Any, watch: Watch) -> Steps:
    parts = ((engine, "_read", "piece of a prompt"), (engine, "_draw", "one token"))
    return in_parts(engine, watch, Speak(text=TEXT), parts, ((engine, "_sound", "sound of a sentence"),))


def chattts(engine: Any, watch: Watch) -> Steps:
    request = Speak(text=TEXT, options={"skip_refine_text": True})
    parts = ((engine._loop, "read", "piece of a prompt"), (engine._loop, "step", "one frame"))
    return in_parts(engine, watch, request, parts, ((ChatPiece, "step", "sound of a sentence"),))


def fishspeech(engine: Any, watch: Watch) -> Steps:
    request = Speak(text="hello there, you.", options={"max_new_tokens": FRAMES})
    parts = ((engine, "_read_piece", "piece of a prompt"), (engine, "_speak", "one frame"))
    return in_parts(engine, watch, request, parts, ((engine, "_sound", f"sound of {FRAMES} frames"),))


def qwen3_tts(engine: Any, watch: Watch) -> Steps:
    request = Speak(text=TEXT, voice=NamedVoice("ryan"), options={"max_tokens": FRAMES})
    parts = ((engine, "_read_piece", "piece of a prompt"), (engine, "_speak", "one frame"))
    return in_parts(engine, watch, request, parts, ((engine, "_sound", f"sound of {FRAMES} frames"),))


def f5(engine: Any, watch: Watch) -> Steps:
    network, frames = engine.network, 200
    known, noise = mx.zeros((frames // 2, BANDS)), mx.zeros((2, frames, BANDS), network.dtype)
    given = network.conditions(known, mx.arange(20), frames, True)
    mx.eval(given.known, given.text, noise)
    watch.take()
    mx.eval(applied(network.layers(0.5, given), noise))
    yield "guided direction", watch.take()
    mx.eval(engine.vocoder(mx.zeros((1, frames, BANDS))))
    yield "vocoder", watch.take()


def melotts(engine: Any, watch: Watch) -> Steps:
    watch.take()
    all_events(engine, Speak(text=TEXT))
    yield "a sentence in all", watch.take()


def recognised(engine: Any, watch: Watch) -> Steps:
    samples, rate = soundfile.read(clips.path("jfk"), dtype="float32")
    watch.take()
    all_events(engine, Transcribe(audio=Audio(samples[: SECONDS * rate], rate)))
    yield f"{SECONDS} s of speech in all", watch.take()


def moshi(engine: Any, watch: Watch) -> Steps:
    state, found = engine.begin(Converse()), list[Counts]()
    while state.reading is not None:
        engine.step([state])
    for _ in range(6):
        engine.feed(state, Feed(talkers_moshi.FRAME))
        watch.take()
        engine.step([state])
        found.append(watch.take())
    engine.feed(state, End())
    engine.end(state)
    yield "frame of 80 ms", usual(found)


def higgs(engine: Any, watch: Watch) -> Steps:
    request = Speak(text=TEXT, options={"max_tokens": FRAMES})
    parts = ((engine, "_read_piece", "piece of a prompt"), (engine, "_speak", "one frame"))
    return in_parts(engine, watch, request, parts, ((engine, "_sound", f"sound of {FRAMES} frames"),))


def _melotts(folder: Path) -> Path:
    phones = sorted({phone for sounds in PHONES.values() for phone in sounds.split()})
    return melo_model.write_model(folder, ("_", *phones, *",.!?…", "UNK"), VOCABULARY)


def _paraformer(folder: Path) -> Path:
    funasr.paraformer(funasr_models.paraformer_files(folder / "files"), home := _with_vad(folder))
    (home / "punctuation").mkdir()
    funasr.punctuation(funasr_models.punctuation_files(folder / "punctuation"), home / "punctuation")
    return home


def _sensevoice(folder: Path) -> Path:
    funasr.sensevoice(funasr_models.sensevoice_files(folder / "files"), home := _with_vad(folder))
    return home


def _with_vad(folder: Path) -> Path:
    """A folder with FSMN-VAD's published weights in it."""
    vad = store.fetch(catalog.CATALOG.resolve("fsmn-vad"), store.cache_folder())
    shutil.copytree(vad, folder / "model/vad")
    return folder / "model"


def _engine(name: str) -> str:
    return f"speechmlx.engines.{name}:load"


SMALL = {
    "cosyvoice2": SmallModel(_engine("cosyvoice"), tiny_cosyvoice.write_folder, cosyvoice),
    "chattts": SmallModel(_engine("chattts"), tiny_chattts.write_folder, chattts),
    "fishspeech": SmallModel(_engine("fishspeech"), tiny_fishspeech.write_model, fishspeech),
    "f5-tts": SmallModel(_engine("f5"), f5_model.write_model, f5),
    "melotts": SmallModel(_engine("melotts"), _melotts, melotts),
    "paraformer": SmallModel(_engine("paraformer"), _paraformer, recognised),
    "sensevoice": SmallModel(_engine("sensevoice"), _sensevoice, recognised),
    "qwen3-tts": SmallModel(
        _engine("qwen3_tts"), partial(talkers.write, sizes=talkers.COUNTED, layers=28, dtype=mx.float16), qwen3_tts
    ),
    "higgs-audio-v3": SmallModel(_engine("mlx_audio"), partial(tiny_bridge.write, "tts/higgs_audio_v3"), higgs),
    "moshi": SmallModel(_engine("moshi"), partial(talkers_moshi.write, depth=8, sizes=talkers_moshi.COUNTED), moshi),
}
"""By what their rows are called in the table, before "(small)"."""
