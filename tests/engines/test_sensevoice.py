"""SenseVoice: FunASR's numbers on tiny random weights; words, tags, and the engine on real speech."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from support import clips
from support.engine_runs import result, run, segments
from support.funasr_models import REFERENCE, noise, sensevoice_files

from speechmlx.engines import Batched, LoadOptions, Paced, sensevoice
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.recording_engine import RecordingEngine
from speechmlx.engines.parts.recordings import SpeechClip, joined
from speechmlx.engines.sensevoice.network import ClipPieces, SenseVoiceNetwork, collapsed
from speechmlx.engines.sensevoice.tagged import TaggedWriter
from speechmlx.engines.sensevoice.text import ClipTags, spoken_words, tags_of, text_pieces
from speechmlx.errors import Unsupported
from speechmlx.models.convert import funasr
from speechmlx.types import Audio, LanguageDetected, Segment, Transcribe, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16_000
CASES = REFERENCE["sensevoice"]["clips"]


def speech(name: str) -> Samples:
    samples, _ = soundfile.read(clips.path(name), dtype="float32")
    return samples


def clip(case: dict[str, Any]) -> SpeechClip[ClipPieces]:
    language = None if case["language"] == "auto" else case["language"]
    request = Transcribe(audio=Audio(np.zeros(1, np.float32), RATE), language=language)
    return SpeechClip(request, 0.0, 1.0, noise(case["seed"], 1, case["frames"], 560)[0])


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory,
    model_folder: Callable[[str], Path],
    loaded: Callable[..., Any],
    options: LoadOptions,
) -> RecordingEngine[ClipPieces]:
    home = tmp_path_factory.mktemp("sensevoice")
    funasr.sensevoice(sensevoice_files(tmp_path_factory.mktemp("files")), home)
    shutil.copytree(model_folder("fsmn-vad"), home / "vad")
    return loaded(sensevoice.load(home, options))


# --- FunASR's numbers -----------------------------------------------------------------------------------------------


def test_a_batch_gives_each_clip_funasrs_pieces(engine: RecordingEngine[ClipPieces]) -> None:
    network = engine._batch._network
    assert isinstance(network, SenseVoiceNetwork)
    found = result(network.recognise([clip(case) for case in CASES], LayerPace()))
    for case, one in zip(CASES, found, strict=True):
        assert list(one.answers) == case["best"][:4]
        assert list(one.pieces) == case["pieces"]


def test_the_scores_are_funasrs(engine: RecordingEngine[ClipPieces]) -> None:
    network = engine._batch._network
    assert isinstance(network, SenseVoiceNetwork)
    for case in CASES:
        scores, lengths = result(network.scores([clip(case)], LayerPace()))
        assert lengths == [4 + case["frames"]]
        chances = np.array(scores - mx.logsumexp(scores, axis=2, keepdims=True))[0]
        assert np.abs(chances[::5] - case["scores"]).max() < 1e-2


def test_pieces_that_repeat_are_one_unless_a_blank_is_between() -> None:
    found = collapsed([9, 9, 9, 9, 0, 5, 5, 0, 5, 7, 0], [0.0] * 4 + [-1.0, -1.0, -3.0, -1.0, -2.0, -4.0, 0.0])
    assert found == ClipPieces((5, 5, 7), (1, 4, 5), (3, 5, 6), (-2.0, -2.0, -4.0), (9, 9, 9, 9))


# --- Words and tags -------------------------------------------------------------------------------------------------

TAGS = ("<|en|>", "<|HAPPY|>", "<|BGM|>", "<|Speech|>", "<|nospeech|>", "<|EMO_UNKNOWN|>")
PIECES = ["<unk>", "▁the", "▁c", "at", "好", "的", ",", "。", "▁", *TAGS]


def pieces(*texts: str, answers: Sequence[str] = ()) -> ClipPieces:
    places = tuple(PIECES.index(text) for text in texts)
    starts = tuple(range(1, 1 + 2 * len(places), 2))
    return ClipPieces(
        places, starts, tuple(start + 1 for start in starts), (-0.5,) * len(places), tuple(map(PIECES.index, answers))
    )


def test_words_are_joined_of_pieces_and_tags_are_none() -> None:
    words = spoken_words(pieces("<|en|>", "▁the", "▁c", "at", ",", "好", "的", "。"), PIECES)
    assert [word.text for word in words] == [" the", " cat,", "好", "的。"]
    assert [(round(word.start, 2), round(word.end, 2)) for word in words[:2]] == [(0.15, 0.21), (0.27, 0.57)]
    assert [word.text for word in spoken_words(pieces("▁", "好"), PIECES)] == [" 好"]
    told = text_pieces(pieces("<|en|>", "▁c", "at", "<unk>", "好"), PIECES)
    assert told == ((b" c", -0.5), (b"at", -0.5), ("好".encode(), -0.5))


def test_tags_say_the_language_the_emotion_and_events() -> None:
    asked = ("<|en|>", "<|HAPPY|>", "<|Speech|>", "▁the")
    assert tags_of(pieces("好", answers=asked), PIECES) == ClipTags("en", "happy", "speech")
    asked = ("<|nospeech|>", "<|EMO_UNKNOWN|>", "<|BGM|>", "▁the")
    assert tags_of(pieces("<|BGM|>", answers=asked), PIECES) == ClipTags(None, None, "music", False)


def test_tags_come_as_values_beside_the_text() -> None:
    said = pieces("▁the", "<|BGM|>", "▁c", "at", answers=("<|en|>", "<|HAPPY|>", "<|Speech|>", "▁the"))
    request = Transcribe(audio=Audio(np.zeros(1, np.float32), RATE))
    heard = SpeechClip(request, 2.0, 4.0, np.zeros((1, 560), np.float32), said)
    detected, segment = TaggedWriter(request, PIECES).write(heard)
    assert detected == LanguageDetected("en", 1.0) and isinstance(segment, Segment)
    assert (segment.text, segment.emotion, segment.sound) == ("the cat", "happy", "music")
    nothing = pieces("▁the", answers=("<|nospeech|>", "<|EMO_UNKNOWN|>", "<|BGM|>", "▁the"))
    assert list(TaggedWriter(request, PIECES).write(dataclasses.replace(heard, result=nothing))) == []


def test_spans_are_joined_up_to_a_length() -> None:
    spans = [(0.0, 5.0), None, (6.0, 12.0), (12.5, 16.0), (20.0, 40.0), (41.0, 42.0)]
    assert list(joined(spans, 15.0)) == [None, (0.0, 12.0), (12.5, 16.0), (20.0, 40.0), (41.0, 42.0)]
    assert list(joined([], 15.0)) == []


# --- The engine -----------------------------------------------------------------------------------------------------


def request(name: str, **more: Any) -> Transcribe:
    return Transcribe(audio=Audio(speech(name), RATE), **more)


def test_segments_of_speech_are_joined_and_have_words(engine: RecordingEngine[ClipPieces]) -> None:
    (events,) = run(engine, request("jfk", words=True, language="en"))
    (found,) = segments(events)
    assert (round(found.start, 2), round(found.end, 2)) == (0.04, 10.98)
    assert events[0] == LanguageDetected("en", 1.0) and isinstance(events[-1], Usage)
    assert "".join(word.text for word in found.words).strip() == found.text
    assert "<|" not in found.text
    assert all(found.start <= word.start <= word.end <= found.end for word in found.words)


def test_interleaved_equals_alone(engine: RecordingEngine[ClipPieces]) -> None:
    requests = [request("jfk", words=True), request("beckett", words=True, language="ko")]
    together, alone = run(engine, *requests), [run(engine, one)[0] for one in requests]
    for found, wanted in zip(together, alone, strict=True):
        for one, other in zip(segments(found), segments(wanted), strict=True):
            assert (one.text, one.start, one.end, one.tokens) == (other.text, other.start, other.end, other.tokens)
            assert [(w.text, w.start, w.end) for w in one.words] == [(w.text, w.start, w.end) for w in other.words]


def test_cancel_frees(engine: RecordingEngine[ClipPieces]) -> None:
    state = engine.begin(request("jfk"))
    while engine._batch._passing is None:
        engine.step([state])
    engine.end(state)
    assert engine._batch._passing is None and not engine._batch._states and not engine._batch._under_way


def test_what_it_cannot_do_is_refused(engine: RecordingEngine[ClipPieces]) -> None:
    assert isinstance(engine, Batched) and isinstance(engine, Paced)
    with pytest.raises(Unsupported, match="'de' is none of SenseVoice's: zh, en, yue, ja, ko"):
        engine.begin(request("jfk", language="de"))
    with pytest.raises(Unsupported, match="takes no hotwords"):
        engine.begin(request("jfk", hotwords=("kubectl",)))
