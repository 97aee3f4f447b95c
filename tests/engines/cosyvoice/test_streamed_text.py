"""A text that is said while it is being written: its layout among the speech, which words are taken, and requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray
from support.engine_runs import pcm, work_until_idle
from support.small_checkpoints import checkpoint, numbers
from support.tiny_cosyvoice import DATA, TEXT, shapes_of, whole, write_folder, write_vocabulary

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.drawing import RepetitionAwareSampler
from speechmlx.engines.cosyvoice.engine import CosyVoice
from speechmlx.engines.cosyvoice.generation import SECOND, SPEECH_TOKENS, THIRD, Generation
from speechmlx.engines.cosyvoice.interleaving import Interleaving
from speechmlx.engines.cosyvoice.live_text import LiveText, certain_end
from speechmlx.engines.cosyvoice.speech_model import SpeechModel
from speechmlx.engines.cosyvoice.streamed_utterance import StreamedUtterance
from speechmlx.engines.cosyvoice.text_tokens import QwenTokens
from speechmlx.engines.cosyvoice.utterance import TokenSound
from speechmlx.engines.lm.decoder import Decoder
from speechmlx.engines.lm.kv_cache import new_cache
from speechmlx.models.convert import cosyvoice as converter
from speechmlx.types import (
    Audio,
    Chunk,
    End,
    Event,
    FeedText,
    FlushText,
    NamedVoice,
    ReferenceVoice,
    SpeakStream,
    TextFlushed,
    Usage,
)

CASES = json.loads((DATA / "cosyvoice_stream.json").read_text())
"""By scripts/parity/cosyvoice_stream.py."""
RATE = 24_000
RECORDING = Audio(numbers(1, RATE) * 0.1, RATE)
SENTENCE = "Here are words, which come. "


class Likeliest:
    """Takes the likeliest token that has a sound."""

    is_greedy = False

    def sample(self, logits: mx.array, tokens: Sequence[int]) -> mx.array:
        return mx.argmax(logits[:SPEECH_TOKENS]).astype(mx.int32)


class LikeliestUtterance(StreamedUtterance):
    def _sampler(self, least: int, recent: Sequence[int]) -> RepetitionAwareSampler:
        return cast(RepetitionAwareSampler, Likeliest())


class NoSound:
    def is_due(self, count: int, is_whole: bool) -> bool:
        return False


class FrameSound:
    """A frame of sound for each token, once all are there."""

    def __init__(self, *_: object) -> None:
        self.finished = False

    def is_due(self, count: int, is_whole: bool) -> bool:
        return is_whole and not self.finished

    def piece(self, tokens: Sequence[int], is_whole: bool) -> Generator[None, None, NDArray[np.float32]]:
        yield
        self.finished = True
        return np.full(960 * len(tokens), 0.5, np.float32)


class Row:
    """A case of the reference implementation, whose text comes in its parts."""

    def __init__(self, model: SpeechModel, generation: Generation, case: dict[str, Any]) -> None:
        said, heard = whole(22, 200, case["said"]), whole(23, SPEECH_TOKENS, case["heard"])
        self.text, self.count = LiveText(lambda _: ()), len(case["tokens"])
        rest = list(whole(21, 200, sum(case["parts"])))
        self.parts = [[rest.pop(0) for _ in range(count)] for count in case["parts"]]
        mix = Interleaving(generation, case["told"], said, heard)
        sound = cast(TokenSound, NoSound())
        self.utterance = LikeliestUtterance.begin(mix, self.text, 0, sound, frozenset(), new_cache(model))
        self.wanted = case["tokens"]

    @property
    def is_done(self) -> bool:
        return len(self.utterance.heard) >= self.count

    def write(self) -> None:
        """The next part of the text, or its end."""
        if self.parts:
            self.text.tokens += self.parts.pop(0)
        self.text.count = 1000
        self.text.ended = not self.parts


def draw(model: SpeechModel, rows: Sequence[Row], pipelined: bool) -> None:
    decoder = Decoder[StreamedUtterance](model, pipelined=pipelined)
    while not all(row.is_done for row in rows):
        for row in rows:
            one = row.utterance
            if one.is_idle:
                row.write()
            one.go_on()
            if one.is_reading:
                model(mx.array([one.tokens[one.read : -1]]), cache=one.cache)
                one.read = len(one.tokens) - 1
        writing = [row.utterance for row in rows if row.utterance.is_writing and not row.is_done]
        for one, token in decoder.step(writing) if writing else ():
            one.add(token)
            if one.is_waiting:
                decoder.pause(one)


def model_of(generation: Generation) -> SpeechModel:
    """The reference's small model, all of whose tokens are there."""
    names = ("llm.model.model.embed_tokens.weight", "llm.model.lm_head.weight")
    shapes = shapes_of(generation)["llm.pt"] | {name: [200 if generation is SECOND else 151_700, 32] for name in names}
    given = checkpoint(shapes)
    given["llm.model.model.embed_tokens.weight"] = given["llm.model.lm_head.weight"]
    model = SpeechModel({**TEXT, "vocab_size": len(given["llm.model.lm_head.weight"])}, generation)
    model.load_weights([(name, mx.array(tensor)) for name, tensor in converter.language_model(given).items()])
    return model


@pytest.mark.parametrize("generation", [SECOND, THIRD], ids=["second", "third"])
def test_the_likeliest_tokens_are_those_of_the_reference(generation: Generation) -> None:
    """Of several texts at once, each of which waits now and then, and whether tokens are launched ahead or not."""
    model, name = model_of(generation), "second" if generation is SECOND else "third"
    for pipelined in (False, True):
        rows = [Row(model, generation, case) for key, case in CASES.items() if key.startswith(name)]
        draw(model, rows, pipelined)
        assert len(rows) == 3
        for row in rows:
            assert row.utterance.heard[: row.count] == row.wanted


def test_the_end_of_a_block_is_known_and_only_the_end_of_speech_ends_it() -> None:
    logits = mx.full((SECOND.logits,), -20.0)
    logits[SPEECH_TOKENS + 2] = 9.0  # for more text
    logits[SPEECH_TOKENS] = 5.0
    logits[7] = 4.0
    within = RepetitionAwareSampler(0, 15, end=SECOND.end)
    assert all(int(within.sample(logits, [])) < SPEECH_TOKENS for _ in range(15))
    after = {int(RepetitionAwareSampler(seed, 0, end=SECOND.end).sample(logits, [])) for seed in range(20)}
    assert after == {SPEECH_TOKENS, 7}
    repeating = RepetitionAwareSampler(0, 0, end=SECOND.end, recent=[7] * 9)
    assert int(repeating.sample(mx.where(logits < 4.5, logits, -9.0), [])) != 7


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("", ""),
        ("The quick", ""),
        ("The quick ", "The"),
        ("The quick brown fox", "The quick"),
        ("The quick, bro", "The quick"),
        ("The quick, brown fox ", "The quick, brown"),
        ("It costs 5", "It"),
        ("It costs, say, $5 for", "It costs, say"),
        ("Ask the FBI about it now", "Ask"),
        ("A well-known don't do ", "A well-known don't"),
        ("He said *this* and that", "He"),
        ("One line\nand another one", ""),
        ("今天天气很好", ""),
        ("今天天气很好，我们", "今天天气很好"),
        ("今天天气很好，我们去公园，好吗", "今天天气很好，我们去公园"),
        ("Das ist, ähm, schön so ", "Das ist, ähm, schön"),
        ("Wait [pause:1s] for it", ""),
    ],
)
def test_words_that_are_certain(text: str, certain: str) -> None:
    assert text[: certain_end(text)] == certain


def test_words_wait_for_the_longest_entry_of_a_lexicon() -> None:
    assert certain_end("We flew to New York ", 2) == len("We flew to")


def test_tokens_are_those_of_the_whole_text(tmp_path: Path) -> None:
    tokens = QwenTokens(write_vocabulary(tmp_path), SECOND.signs)
    live = LiveText(tokens.encode)
    for words in ("The quick", ", brown", "fox", "。"):
        live.add(words)
    assert live.tokens == list(tokens.encode("The quick, brown fox。")) and live.count == len(live.tokens)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> CosyVoice:
    return loaded(cosyvoice.load(write_folder(tmp_path_factory.mktemp("second")), cold))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> CosyVoice:
    """A CosyVoice 3, whose small flow is the quicker one."""
    return loaded(cosyvoice.load(write_folder(tmp_path_factory.mktemp("third"), generation=THIRD), cold))


def spoken(engine: CosyVoice, text: str, *requests: SpeakStream) -> list[list[Event]]:
    """The events of requests that are written a word at a time, in turn."""
    states = [engine.begin(request) for request in requests]
    found: list[list[Event]] = [[] for _ in states]
    for word in text.split(" "):
        for state in states:
            engine.feed(state, FeedText(word + " "))
        for one, events in zip(found, work_until_idle(engine, *states), strict=True):
            one += events
    for state in states:
        engine.feed(state, End())
    for one, events in zip(found, work_until_idle(engine, *states), strict=True):
        one += events
    for state in states:
        assert state.finished
        engine.end(state)
    return found


def test_a_sentence_is_said_while_it_is_being_written(second: CosyVoice) -> None:
    engine = second
    state = engine.begin(SpeakStream(voice=NamedVoice("first")))
    heard: list[int] = []
    for word in SENTENCE.split():
        engine.feed(state, FeedText(word + " "))
        (events,) = work_until_idle(engine, state)
        heard.append(len(pcm(events)))
        assert not state.finished and not state.busy
    assert sum(heard[:-1]) > 0  # before the sentence was whole
    engine.feed(state, FeedText("And more."))
    engine.feed(state, End())
    (events,) = work_until_idle(engine, state)
    usage = events[-1]
    assert isinstance(usage, Usage) and usage.tokens_in == len(SENTENCE.strip()) + len("And more.")
    assert usage.audio_out == pytest.approx((sum(heard) + len(pcm(events))) / 2 / RATE)
    engine.end(state)
    assert engine.held == 0 and not engine._decoder._batch.members


def test_texts_together_sound_as_alone(engine: CosyVoice) -> None:
    asked = [
        SpeakStream(voice=ReferenceVoice(RECORDING, "what is said", "one"), options={"seed": 3}),
        SpeakStream(voice=NamedVoice("second"), speed=1.5),
    ]
    alone = [pcm(spoken(engine, SENTENCE, request)[0]) for request in asked]
    assert [pcm(events) for events in spoken(engine, SENTENCE, *asked)] == alone
    assert alone[0] != alone[1]


def test_a_request_that_waits_is_cancelled_and_changes_no_other(engine: CosyVoice) -> None:
    alone = pcm(spoken(engine, SENTENCE, SpeakStream(voice=NamedVoice("first")))[0])
    leaves = engine.begin(SpeakStream(voice=NamedVoice("second")))
    engine.feed(leaves, FeedText("Here are words, which "))
    work_until_idle(engine, leaves)
    assert leaves.utterance is not None and leaves.utterance.is_idle and engine.held > 0
    stays = engine.begin(SpeakStream(voice=NamedVoice("first")))
    found: list[Event] = []
    for word in SENTENCE.split(" "):
        engine.feed(stays, FeedText(word + " "))
        found += work_until_idle(engine, stays)[0]
        if word == "words,":
            engine.end(leaves)
    engine.feed(stays, End())
    found += work_until_idle(engine, stays)[0]
    engine.end(stays)
    assert pcm(found) == alone and engine.held == 0 and leaves.utterance is None


def test_numbers_and_pauses_wait_for_the_end_of_their_sentence(
    engine: CosyVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_new_sound", FrameSound)
    state = engine.begin(SpeakStream(voice=NamedVoice("first")))
    engine.feed(state, FeedText("Now here it costs $5 [pause:500ms] or "))
    work_until_idle(engine, state)
    assert state.utterance is not None and state.utterance.words == len("Now here it")
    engine.feed(state, FeedText("more. "))
    engine.feed(state, End())
    (events,) = work_until_idle(engine, state)
    silences = [event for event in events if isinstance(event, Chunk) and not any(event.pcm16)]
    assert [len(event.pcm16) for event in silences] == [RATE]
    usage = events[-1]
    assert isinstance(usage, Usage) and usage.tokens_in == len("Now here it costs five dollars") + len("or more.")
    engine.end(state)


@pytest.mark.parametrize(
    ("text", "said"), [("Here are some words ", "Here are some words."), ("Short", "Short."), ("", "")]
)
def test_a_flush_says_all_so_far_and_tells_so(
    engine: CosyVoice, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr(engine, "_new_sound", FrameSound)
    state = engine.begin(SpeakStream(voice=NamedVoice("first")))
    for word in text.split(" "):
        engine.feed(state, FeedText(word + " "))
        work_until_idle(engine, state)
    engine.feed(state, FlushText())
    (events,) = work_until_idle(engine, state)
    assert isinstance(events[-1], TextFlushed) and not state.busy and state.utterance is None
    assert state.tokens_in == len(said) and not state.finished
    engine.feed(state, FeedText("And more."))
    engine.feed(state, End())
    (events,) = work_until_idle(engine, state)
    usage = events[-1]
    assert isinstance(usage, Usage) and usage.tokens_in == len(said) + len("And more.")
    engine.end(state)


def test_a_very_long_sentence_is_said_in_parts(engine: CosyVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_new_sound", FrameSound)
    (events,) = spoken(engine, "word " * 18 + "end.", SpeakStream(voice=NamedVoice("first")))
    usage = events[-1]
    # The blank between the two parts is no token.
    assert isinstance(usage, Usage) and usage.tokens_in == len("word " * 18 + "end.") - 1


def test_an_instruction_stands_before_the_text_of_the_third_and_keeps_that_of_the_second_whole(
    engine: CosyVoice, second: CosyVoice
) -> None:
    states = [one.begin(SpeakStream(voice=NamedVoice("first"), instructions="Calm")) for one in (second, engine)]
    for one, state in zip((second, engine), states, strict=True):
        one.feed(state, FeedText("Here are words, which "))
        one.step([state])
    assert states[0].utterance is None and states[1].utterance is not None
    before = engine._tokens.encode("You are a helpful assistant. Calm<|endofprompt|>")
    given = [THIRD.begin, *(THIRD.text + token for token in before)]
    assert states[1].utterance.tokens[: len(given)] == given
    for one, state in zip((second, engine), states, strict=True):
        one.end(state)
