"""The engine of MeloTTS: text to 44.1 kHz speech, sentence by sentence, in bounded steps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import LoadOptions, Steps
from speechmlx.engines.finite import finite
from speechmlx.engines.melotts.bert import Bert
from speechmlx.engines.melotts.front_ends import TONES, FrontEnd, front_end
from speechmlx.engines.melotts.manner import FASTEST, SLOWEST, MeloManner, read_manner
from speechmlx.engines.melotts.names import check, check_bert, shapes, size_of
from speechmlx.engines.melotts.network import MeloNetwork, PhoneLine
from speechmlx.engines.melotts.phone_lines import EDGE, UNKNOWN, PhoneLines, read_tokenizer
from speechmlx.engines.melotts.phone_words import PhoneWord, orderly, pieces
from speechmlx.engines.melotts.vocoder import HifiGan
from speechmlx.engines.parts.last_events import last_events
from speechmlx.engines.parts.pace import LayerPace, LayerPaced
from speechmlx.engines.parts.sentence_stream import SentenceStream, speak_all
from speechmlx.engines.parts.spoken_parts import alike, windows
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import BadRequest, Unsupported, WeightsDamaged
from speechmlx.reading import SpokenWord, Token
from speechmlx.reading.lexicon import user_lexicon
from speechmlx.reading.reading import Passage, passages
from speechmlx.types import Chunk, Event, Progress, Request, Speak, SpeakStream, Synthesis

BETWEEN = 0.05
"""Seconds of silence behind a piece, at speed 1."""
MOST, LEAST_MOST = 300, 40
"""Phones and letters of a piece, at most: about 25 s at speed 1; fewer where it is slower."""
BERT = "bert "
"""Begins the names of its weights while they are loaded with the network's."""
QUOTED = 80
"""Characters of a text that cannot be said, in the error."""
WARM_UP = {"en": "Hello.", "es": "Hola.", "fr": "Bonjour.", "ja": "こんにちは。", "zh": "你好。"}


@dataclass
class MeloTTS(LayerPaced):
    """A loaded model. It holds no state of requests."""

    network: MeloNetwork
    vocoder: HifiGan
    bert: Bert | None
    """None: the checkpoint was trained without features of BERT."""
    lines: PhoneLines
    front_end: FrontEnd
    language: str
    """A key of TONES."""
    speakers: dict[str, int]
    rate: int
    """Hz."""
    pace: LayerPace
    nbytes: int

    def run(self, request: Request) -> Steps:
        """Speak a text in bounded steps: `Chunk`*, then `Usage`.

        Raises BadRequest, UnknownVoice, and Unsupported for a language, an option, a recording as the voice, and where
        what the language is read with is not installed.
        """
        if not isinstance(request, Speak):
            raise Unsupported(f"MeloTTS answers Speak requests, not {type(request).__name__}")
        return speak_all(self.delivery(request), request.text)

    def open(self, request: Request) -> SentenceStream:
        """Open a stream that speaks each sentence once it is complete. Raises the same errors as `run`."""
        if not isinstance(request, SpeakStream):
            raise Unsupported(f"MeloTTS streams SpeakStream requests, not {type(request).__name__}")
        return SentenceStream(self.delivery(request), reads_ssml=True)

    def delivery(self, request: Synthesis) -> MeloDelivery:
        """Check `request` and resolve its voice."""
        manner = read_manner(request, self.speakers, self.language)
        self.front_end.check()
        language = "en-us" if self.language == "en" else self.language
        lexicon = user_lexicon(request.pronunciations, language)
        return MeloDelivery(self, manner, partial(passages, language=language, lexicon=lexicon))

    def most(self, speed: float) -> int:
        """The size of a piece at most: so that its sound is bounded, and BERT knows as many places."""
        most = max(LEAST_MOST, round(MOST * min(1.0, speed)))
        return most if self.bert is None else min(most, self.bert.longest - 2)

    def say(self, words: list[PhoneWord], manner: MeloManner) -> Iterator[Chunk | None]:
        """`Chunk`* of one piece, None after other steps. Raises NotFinite."""
        laid_out = self.lines.lay_out(words)
        features = None
        if self.bert is not None:
            features = yield from self.bert(mx.array(laid_out.tokens))
            features = features[mx.array(laid_out.token_of_phone)]
        line = PhoneLine(mx.array(laid_out.phones), mx.array(laid_out.tones), mx.array(laid_out.languages), features)
        speaker = self.network.speaker(manner.speaker)
        text = yield from self.network.encode(line, speaker)
        for_durations, for_sound = mx.random.split(mx.random.key(manner.seed))
        noise = mx.random.normal((1, len(laid_out.phones), 2), key=for_durations) * manner.duration_noise
        frames = self.network.durations(text, speaker, noise, manner.drawn, manner.speed)
        yield None
        noise = mx.random.normal((1, int(frames.sum()), text.means.shape[-1]), key=for_sound) * manner.noise
        latent = yield from self.network.latent(text, frames, speaker, noise)
        for samples in self.vocoder(latent, speaker):
            yield None if samples is None else self._chunk(samples)
        yield Chunk.silence(self.rate, BETWEEN / manner.speed)

    def _chunk(self, samples: mx.array) -> Chunk:
        return Chunk(to_pcm16(finite(np.array(samples, np.float32), "the synthesis of speech")), self.rate)


@dataclass
class MeloDelivery:
    """The synthesis of one request, and what it has said so far."""

    engine: MeloTTS
    manner: MeloManner
    read: Callable[[str], Iterator[Passage]]
    """The words of a text, a sentence at a time."""
    phones: int = 0
    samples: int = 0
    is_written: bool = False
    """Whether any text was more than white space."""
    unsaid: str = ""
    """The first text with words that had no phones."""

    def speak(self, text: str) -> Iterator[Event | None]:
        """`Chunk`* of a text, and of its breaks; None after other steps."""
        self.is_written = self.is_written or bool(text.strip())
        phones, has_words = self.phones, False
        for _, window in windows(text):
            for passage in self.read(window):
                has_words = has_words or any(isinstance(token, SpokenWord) for token in passage.tokens)
                yield None
                for tokens, rate, seconds in alike(passage.tokens):
                    yield from self._say(tokens, rate)
                    if seconds:
                        yield self._counted(Chunk.silence(self.engine.rate, seconds))
        if has_words and self.phones == phones and not self.unsaid:
            self.unsaid = text.strip()

    def _say(self, tokens: list[Token], rate: float) -> Iterator[Event | None]:
        engine = self.engine
        words = yield from engine.front_end.steps(tokens)
        manner = replace(self.manner, speed=min(max(self.manner.speed * rate, SLOWEST), FASTEST))
        for piece in pieces(orderly(words, TONES[engine.language]), engine.most(manner.speed)):
            self.phones += sum(len(word.phones) for word in piece)
            for event in engine.say(piece, manner):
                yield None if event is None else self._counted(event)

    def _counted(self, chunk: Chunk) -> Chunk:
        self.samples += len(chunk.pcm16) // 2
        return chunk

    def finish(self) -> Iterator[Event | None]:
        """A short silence where there was nothing to say, and the usage of the whole request.

        Raises BadRequest, with the start of the text, for words without phones, and for white space.
        """
        if not self.samples and (self.unsaid or not self.is_written):
            name = languages.name(self.engine.language)
            raise BadRequest(f"nothing in the text can be said: {self.unsaid[:QUOTED]!r}; this model speaks {name}")
        yield from last_events(self.samples, self.engine.rate, tokens_in=self.phones)


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, MeloTTS]:
    """Read the weights in slices, and speak a word where the options ask for it."""
    config, dtype, pace = read_config(folder), getattr(mx, options.dtype), LayerPace()
    symbols = {symbol: number for number, symbol in enumerate(config["symbols"])}
    if symbols.get(EDGE) != 0 or UNKNOWN not in symbols:
        raise WeightsDamaged(
            f"the symbols of {folder.name!r} are not MeloTTS's: {EDGE!r} is the first, and {UNKNOWN!r} one"
        )
    network = {name: array.astype(mx.float32) for name, array in read_weights(folder).items()}
    size = size_of(network, config["heads"], config["upsampling"], len(config["dilations"]))
    check(network, shapes(size), "MeloTTS")
    if size.symbols != len(symbols):
        raise WeightsDamaged(f"config.json has {len(symbols)} symbols, and the weights {size.symbols}")
    words = dict[str, mx.array]()
    if config["reads_words"]:
        words = {name: array.astype(dtype) for name, array in read_weights(folder / "bert").items()}
        check_bert(words, size.features)
    weights = yield from settle(network | {BERT + name: array for name, array in words.items()})
    tensors = Tensors({name: weights[name] for name in network})
    bert, tokenizer = None, None
    if words:
        about = read_config(folder / "bert")
        bert = Bert(Tensors({name: weights[BERT + name] for name in words}), about["heads"], pace)
        tokenizer = read_tokenizer(folder / "bert", lowercase=about["lowercase"], strip_accents=about["strip_accents"])
    engine = MeloTTS(
        network=MeloNetwork(tensors, size.heads, pace, tells_encoder=config["tells_encoder"]),
        vocoder=HifiGan(tensors.under("dec"), size.upsampling, config["dilations"]),
        bert=bert,
        lines=PhoneLines(config["language"], symbols, tokenizer),
        front_end=front_end(config["language"], symbols),
        language=config["language"],
        speakers=config["speakers"],
        rate=config["rate"],
        pace=pace,
        nbytes=sum(array.nbytes for array in weights.values()),
    )
    yield from _warmed_up(engine, options)
    return engine


def _warmed_up(engine: MeloTTS, options: LoadOptions) -> Iterator[Progress]:
    """Say a word, where the options ask for it and the language can be read here."""
    if not options.warm_up:
        return
    try:
        engine.front_end.check()
    except Unsupported:
        return  # requests are told so
    for done, _ in enumerate(engine.run(Speak(text=WARM_UP[engine.language]))):
        yield Progress("warm_up", done, done + 1)
