"""Paraformer and CT-Transformer: FunASR's numbers on tiny random weights; the engine on real speech."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from support import clips
from support.engine_runs import result, run, segments
from support.funasr_models import REFERENCE, TOKENS, made, noise, paraformer_files, punctuation_files

from speechmlx.engines import Batched, LoadOptions, Paced, paraformer
from speechmlx.engines.paraformer.cif import integrate
from speechmlx.engines.paraformer.network import ClipTokens, ParaformerNetwork
from speechmlx.engines.paraformer.punctuation import PunctuationNetwork, Punctuator
from speechmlx.engines.paraformer.transcript import plain
from speechmlx.engines.paraformer.words import words_of
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.recording_engine import RecordingEngine
from speechmlx.engines.parts.recordings import SpeechClip
from speechmlx.engines.parts.sanm import RowLengths, pad_rows
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.models.convert import funasr
from speechmlx.types import Audio, DetectSpeech, Event, LanguageDetected, Transcribe, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16_000
JFK = [(0.04, 2.3), (3.02, 4.61), (5.12, 10.98)]
"""Segments of the clip, as FSMN-VAD finds them."""
CASES, TEXTS = REFERENCE["paraformer"]["clips"], REFERENCE["punctuation"]["texts"]


def speech(name: str) -> Samples:
    samples, _ = soundfile.read(clips.path(name), dtype="float32")
    return samples


def clip(case: dict[str, Any]) -> SpeechClip[ClipTokens]:
    features = noise(case["seed"], 1, case["frames"], 560)[0]
    return SpeechClip(Transcribe(audio=Audio(np.zeros(1, np.float32), RATE)), 0.0, 1.0, features)


# --- FunASR's numbers -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_folder: Callable[[str], Path]) -> Path:
    """The folder of a tiny RecordingEngine[ClipTokens], with the real FSMN-VAD."""
    home, files = tmp_path_factory.mktemp("paraformer"), tmp_path_factory.mktemp("files")
    funasr.paraformer(paraformer_files(files / "paraformer"), home)
    (home / "punctuation").mkdir()
    funasr.punctuation(punctuation_files(files / "punctuation"), home / "punctuation")
    shutil.copytree(model_folder("fsmn-vad"), home / "vad")
    return home


@pytest.fixture(scope="module")
def engine(folder: Path, loaded: Callable[..., Any], options: LoadOptions) -> RecordingEngine[ClipTokens]:
    return loaded(paraformer.load(folder, options))


@pytest.fixture(scope="module")
def network(engine: RecordingEngine[ClipTokens]) -> ParaformerNetwork:
    network = engine._batch._network
    assert isinstance(network, ParaformerNetwork)
    return network


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['frames']} frames")
def test_each_part_is_funasrs(network: ParaformerNetwork, case: dict[str, Any]) -> None:
    rows, pace = RowLengths(None, None), LayerPace()
    features = pad_rows([clip(case).features])
    hidden = result(pace.run(network._encoder.layers(rows), network._encoder.embed(features)))
    assert np.abs(np.array(hidden)[0, ::6] - case["encoded"]).max() < 1e-3
    parts = np.array(network.parts(hidden))[0]
    assert np.abs([*parts, 0.45] - np.array(case["parts"])).max() < 1e-4
    fired = integrate(parts.astype(np.float64))
    assert list(fired.fires) == case["fires"]
    embeddings = mx.array(fired.shares)[None] @ hidden
    assert np.abs(np.array(embeddings)[0] - case["embeddings"]).max() < 1e-3
    scores = result(pace.run(network.decoder([len(fired.fires)], hidden, rows), embeddings))
    chances = np.array(scores - mx.logsumexp(scores, axis=2, keepdims=True))[0]
    assert np.abs(chances - case["scores"]).max() < 1e-2


def test_a_batch_of_several_lengths_is_what_each_clip_is_alone(network: ParaformerNetwork) -> None:
    """The reference gives the last token of a shorter clip what stands behind its end."""
    together = result(network.recognise([clip(case) for case in CASES], LayerPace()))
    for case, found in zip(CASES, together, strict=True):
        assert found.tokens == tuple(np.argmax(case["scores"], axis=1))
        assert found.fires == tuple(case["fires"])
        assert np.abs(np.max(case["scores"], axis=1) - found.logprobs).max() < 1e-2


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['frames']} frames")
def test_times_are_funasrs_where_it_takes_its_arguments_in_order(case: dict[str, Any]) -> None:
    fires = tuple(case["fires"])
    tokens = (3,) * (len(fires) - 1) + (2,)
    found = words_of(ClipTokens(tokens, (0.0,) * len(fires), fires, case["frames"]), TOKENS)
    wanted = [(max(0, start) / 1000, min(end / 1000, case["frames"] * 0.06)) for start, end in case["times"]]
    assert np.abs(np.array([(word.start, word.end) for word in found]) - wanted).max() < 2e-3


def test_no_token_is_lost_in_a_long_clip() -> None:
    fired = integrate(np.full(5000, 0.1))
    assert len(fired.fires) == 500 and fired.fires[-1] in (4999, 5000)


@pytest.mark.parametrize("parts", [[], [0.2], [0.5, 0.04], [0.9, 0.9, 0.9]])
def test_what_is_left_at_the_end_is_a_token_where_it_is_more_than_half(parts: list[float]) -> None:
    fired = integrate(np.array(parts))
    assert len(fired.fires) == int(sum(parts) + 0.45)
    assert fired.shares.shape == (len(fired.fires), len(parts))
    assert (fired.shares.sum(axis=1) < 1 + 1e-6).all()


# --- Words ----------------------------------------------------------------------------------------------------------


def said(*tokens: str) -> list[str]:
    places = tuple(TOKENS.index(token) for token in tokens)
    count = len(places)
    found = words_of(ClipTokens(places, (-0.1,) * count, tuple(range(2, 2 + 3 * count, 3)), 3 * count + 5), TOKENS)
    assert all(word.start <= word.end for word in found)
    assert [word.start for word in found] == sorted(word.start for word in found)
    return [word.text for word in found]


def test_parts_are_joined_letters_abbreviated_and_digits_glued() -> None:
    first, second = TOKENS[3], TOKENS[4]
    assert said("<s>", first, "hel@@", "lo", second, "</s>") == [first, "hello", second]
    assert said("a", "b", "c", first, "a", "world") == ["ABC", first, "a", "world"]
    assert said(first, "3", "3", second) == [first, "33", second]
    assert said("it's", "world", "<unk>") == ["it's", "world"]
    assert said("hel@@") == ["hel"]
    assert said("<s>", "</s>") == [] == said()


@pytest.mark.parametrize(("tokens", "written"), REFERENCE["paraformer"]["texts"])
def test_text_is_written_as_funasr_writes_it(tokens: list[str], written: str) -> None:
    known = list(dict.fromkeys(tokens))
    count = len(tokens)
    clip = ClipTokens(tuple(map(known.index, tokens)), (-0.1,) * count, tuple(range(count)), count)
    assert "".join(plain(words_of(clip, known))).strip() == written


# --- Punctuation ----------------------------------------------------------------------------------------------------


def favouring(mark: int | None) -> PunctuationNetwork:
    """The tiny network, and with `mark` one that gives this mark more often and ends no sentence."""
    weights = {name: made(name, shape) for name, shape in REFERENCE["punctuation"]["shapes"].items()}
    weights["decoder.bias"][0] -= 100
    if mark is not None:
        weights["decoder.bias"][3:5] -= 100
        weights["decoder.bias"][mark] += 2
    embedding = weights.pop("embed.weight")
    arrays = {name: mx.array(array) for name, array in funasr.laid_out(weights).items()}
    return PunctuationNetwork(arrays, embedding, REFERENCE["punctuation"]["words"], 4)


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: f"{len(case['text'].split())} words")
@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_punctuation_is_funasrs_however_the_words_come(case: dict[str, Any], at_once: int) -> None:
    network, words = favouring(case["favoured"]), case["text"].split()
    scores = result(network.scores(words[:12], LayerPace()))
    assert np.abs(np.array(scores) - case["scores"]).max() < 1e-3
    punctuator = Punctuator(network, LayerPace())
    for start in range(0, len(words), at_once):
        list(punctuator.add(words[start : start + at_once]))
    list(punctuator.close())
    assert len(punctuator.written) == len(words)
    assert "".join(punctuator.written) == case["written"]


# --- The engine -----------------------------------------------------------------------------------------------------


def request(samples: Samples, **more: Any) -> Transcribe:
    return Transcribe(audio=Audio(samples, RATE), **more)


def test_a_recording_is_cut_where_speech_is_and_punctuated(engine: RecordingEngine[ClipTokens]) -> None:
    (events,) = run(engine, request(speech("jfk"), words=True))
    found = segments(events)
    assert [(round(one.start, 2), round(one.end, 2)) for one in found] == JFK
    assert isinstance(events[0], LanguageDetected) and isinstance(events[-1], Usage)
    assert events[-1].audio_in == 11.0
    for one in found:
        assert "".join(word.text for word in one.words).strip() == one.text
        assert all(one.start <= word.start <= word.end <= one.end for word in one.words)
        assert 0 < one.confidence < 1
    assert found[-1].text[-1] in "。？.?"
    assert not any(one.logprobs for one in found)


def test_log_probabilities_of_tokens_come_where_they_are_asked_for(engine: RecordingEngine[ClipTokens]) -> None:
    (one, *_) = segments(run(engine, request(speech("jfk"), logprobs=True))[0])
    assert one.logprobs and all(logprob <= 0 for _, logprob in one.logprobs)
    spoken = b"".join(text for text, _ in one.logprobs).decode().lower()
    assert spoken == "".join(letter for letter in one.text.lower() if letter not in " ，。？、,.?")


def test_interleaved_equals_alone(engine: RecordingEngine[ClipTokens]) -> None:
    requests = [request(speech("jfk"), words=True), request(speech("beckett"), words=True)]
    together, alone = run(engine, *requests), [run(engine, one)[0] for one in requests]
    for found, wanted in zip(together, alone, strict=True):
        assert [type(event) for event in found] == [type(event) for event in wanted]
        for one, other in zip(segments(found), segments(wanted), strict=True):
            assert (one.text, one.start, one.end, one.tokens) == (other.text, other.start, other.end, other.tokens)
            assert [(word.text, word.start, word.end) for word in one.words] == [
                (word.text, word.start, word.end) for word in other.words
            ]
            assert one.confidence == pytest.approx(other.confidence, abs=1e-5)


def test_a_request_that_is_ended_in_the_middle_leaves_the_other_as_it_is(engine: RecordingEngine[ClipTokens]) -> None:
    wanted = segments(run(engine, request(speech("beckett")))[0])
    gone, kept = engine.begin(request(speech("jfk"))), engine.begin(request(speech("beckett")))
    found: list[Event] = []
    while engine._batch._passing is None:
        engine.step([gone, kept])
    engine.end(gone)
    while not kept.finished:
        (events,) = engine.step([kept])
        found += [event for event in events if not isinstance(event, Exception)]
    engine.end(kept)
    assert [one.text for one in segments(found)] == [one.text for one in wanted]
    assert not engine._batch._states and not engine._batch._under_way and engine._batch._passing is None


def test_the_last_request_that_is_ended_gives_its_pass_up(engine: RecordingEngine[ClipTokens]) -> None:
    state = engine.begin(request(speech("jfk")))
    while engine._batch._passing is None:
        engine.step([state])
    engine.end(state)
    assert engine._batch._passing is None and not engine._batch._under_way


def test_clips_and_recordings_without_search_for_speech(engine: RecordingEngine[ClipTokens]) -> None:
    sound = speech("jfk")
    (inside,) = run(engine, request(sound, clips=((1.0, 2.0), (5.5, 6.0))))
    assert [(one.start, one.end) for one in segments(inside)] == [(1.0, 2.0), (5.5, 6.0)]
    (whole,) = run(engine, request(sound, vad=False))
    assert [(one.start, one.end) for one in segments(whole)] == [(0.0, 11.0)]
    (long,) = run(engine, request(np.concatenate([sound] * 4), vad=False))
    assert all(one.end - one.start <= 30 for one in segments(long)) and segments(long)[-1].end == 44.0


def test_a_long_recording_is_recognised_while_it_is_searched(engine: RecordingEngine[ClipTokens]) -> None:
    state = engine.begin(request(np.concatenate([speech("jfk"), speech("beckett")] * 6)))
    ahead, searched = [], []
    while not state.finished:
        (events,) = engine.step([state])
        ahead.append(sum(len(clip.features) for clip in state.clips))
        searched += [state._finding is None] * len(segments([one for one in events if not isinstance(one, Exception)]))
    engine.end(state)
    assert len(searched) > 40 and not searched[0]
    assert max(ahead) < 1200 + 1000


@pytest.mark.parametrize("samples", [0, 1, 100, 40_000])
def test_silence_and_nothing_have_no_segments(engine: RecordingEngine[ClipTokens], samples: int) -> None:
    (events,) = run(engine, request(np.zeros(samples, np.float32)))
    assert [type(event) for event in events] == [Usage]


def test_without_punctuation_segments_come_as_they_are(
    folder: Path, tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions
) -> None:
    shutil.copytree(folder, tmp_path / "plain", ignore=shutil.ignore_patterns("punctuation"))
    (events,) = run(loaded(paraformer.load(tmp_path / "plain", cold)), request(speech("jfk")))
    assert len(segments(events)) == 3 and not set("".join(one.text for one in segments(events))) & set("，。？、,.?")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"language": "fr"}, Unsupported, "'fr' is none of Paraformer's: zh, en"),
        ({"task": "translate"}, Unsupported, "does not translate"),
        ({"hotwords": ("魔搭",)}, Unsupported, "takes no hotwords: this checkpoint was trained without them"),
        ({"audio": Audio(np.zeros(8000, np.float32), 8000)}, BadRequest, "16000 Hz, not 8000"),
    ],
)
def test_what_it_cannot_do_is_refused(
    engine: RecordingEngine[ClipTokens], change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.begin(Transcribe(**{"audio": Audio(np.zeros(100, np.float32), RATE), **change}))
    with pytest.raises(Unsupported, match="cannot detectspeech"):
        engine.begin(DetectSpeech())


def test_an_error_in_one_request_ends_it_alone(engine: RecordingEngine[ClipTokens]) -> None:
    bad, good = engine.begin(request(np.full(40_000, np.nan, np.float32))), engine.begin(request(speech("beckett")))
    ended = []
    while not good.finished:
        live = [state for state in (bad, good) if not state.finished]
        events = engine.step(live)
        ended += [event for some in events for event in some if isinstance(event, Exception)]
    assert len(ended) == 1 and bad.finished
    engine.end(bad)
    engine.end(good)


def test_it_is_a_batched_engine_and_says_what_it_holds(engine: RecordingEngine[ClipTokens], folder: Path) -> None:
    assert isinstance(engine, Batched) and isinstance(engine, Paced)
    files = [folder / "model.safetensors", folder / "vad/model.safetensors", folder / "punctuation/model.safetensors"]
    assert 0.9 < engine.nbytes / sum(file.stat().st_size for file in files) < 1.05


def test_another_model_is_refused(tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions, folder: Path) -> None:
    shutil.copytree(folder / "vad", tmp_path / "other" / "vad")
    with pytest.raises(ModelUnavailable, match="holds no Paraformer"):
        loaded(paraformer.load(shutil.copytree(folder / "vad", tmp_path / "other", dirs_exist_ok=True), cold))
