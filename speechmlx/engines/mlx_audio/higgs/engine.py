"""The engine: sentences of several requests on the package's networks, in the voice of a recording or one drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.higgs.frames import HiggsDrawing, HiggsLoop, HiggsShape
from speechmlx.engines.mlx_audio.higgs.sound import Fades, HiggsSound
from speechmlx.engines.mlx_audio.higgs.speaking import MOST, HiggsSpeaking, HiggsWishes
from speechmlx.engines.mlx_audio.synthesis import Synthesizer
from speechmlx.engines.parts.frame_synthesis import FrameSynthesis
from speechmlx.errors import BadRequest
from speechmlx.types import Event, ReferenceVoice, Speak, SpeakStream, Synthesis

FADE_IN, FADE_OUT = 30.0, 15.0
"""Milliseconds, as the package has them."""
FRAMING = 16
"""Positions of a prompt that are neither text nor a recording, at most."""


class HiggsSpeech(FrameSynthesis[HiggsSpeaking]):
    """A loaded model."""

    name = "Higgs Audio"
    loop: HiggsLoop

    def __init__(self, checkpoint: BridgedModel) -> None:
        self.checkpoint = checkpoint
        self._reader, self._model = Synthesizer(checkpoint), checkpoint.model
        loop = HiggsLoop(self._model, HiggsShape.of(self._model.config), checkpoint.on_gpu)
        super().__init__(loop, checkpoint.nbytes)
        builder = self._model._prompt_builder
        builder.encode_text = partial(_encoded, builder.tokenizer, _marks(builder.tokenizer))

    def _state(self, request: Speak | SpeakStream) -> HiggsSpeaking:
        arguments = self._reader.delivery(request).arguments
        voice = request.voice if isinstance(request.voice, ReferenceVoice) else None
        hearing = None if voice is None else self._hear_all(voice, arguments["ref_audio"])
        wishes = self._wishes(request, arguments)
        state = HiggsSpeaking(wishes, rate=self.checkpoint.rate, seed=arguments["seed"], hearing=hearing)
        if isinstance(request, Speak):
            state.end(request.text)
        state.longest = self._longest(state, voice)
        return state

    def _hear_all(self, voice: ReferenceVoice, samples: mx.array) -> Generator[Any, None, mx.array]:
        """The codes of a recording, in short steps."""
        heard = list[mx.array]()

        def encode(_: Any) -> None:
            own = structural_clone(self._model)
            self._reader.imitated.teach(own, voice)
            with np.errstate(invalid="ignore"):  # its resampling divides zero by zero, and replaces that
                heard.append(own.encode_reference_audio(samples))

        yield from cooperative.steps(encode, 0)
        return heard[0]

    def _wishes(self, request: Synthesis, arguments: Mapping[str, Any]) -> HiggsWishes:
        temperature, top_k, top_p = (arguments.get(name) or 0 for name in ("temperature", "top_k", "top_p"))
        if "temperature" not in arguments:
            temperature = 1.0
        drawing = HiggsDrawing(float(temperature), int(top_k), float(top_p or 1.0))
        rate = self.checkpoint.rate / 1000
        fades = [
            max(0, int(arguments.get(name, usual) * rate))
            for name, usual in (("fade_in_ms", FADE_IN), ("fade_out_ms", FADE_OUT))
        ]
        named = ("max_new_tokens", "max_new_frames", "max_tokens")
        frames = next((int(arguments[name]) for name in named if name in arguments), None)
        return HiggsWishes(drawing, frames, Fades(*fades), arguments.get("ref_text") or "")

    def _longest(self, state: HiggsSpeaking, voice: ReferenceVoice | None) -> int:
        """Positions that the sequence of a request may come to. Raises BadRequest where the model has fewer."""
        encode, wishes = self._model._prompt_builder.encode_text, state.wishes
        before = FRAMING + len(encode(wishes.said))
        if voice is not None:
            rate = self.checkpoint.rate / self._model.codec.config.acoustic_hop
            before += math.ceil(max(1.0, voice.audio.duration) * rate) + self.loop.shape.codebooks
        tokens = max((len(encode(text)) for text in state.coming), default=1) if state.is_ended else MOST
        longest, most = before + tokens + wishes.limit(tokens), self._model.config.text_config.max_position_embeddings
        if longest > most:
            raise BadRequest(f"the text, its recording and its frames take {longest} positions; the model has {most}")
        return longest

    def _begin(self, state: HiggsSpeaking, events: list[Event | Exception]) -> None:
        """What comes before the words is the same in all sentences of a request: it is read once."""
        if (text := state.next_piece(events)) is None:
            return
        prompt = self._prompt(state, text)
        tokens = len(self._model._prompt_builder.encode_text(text))
        if state.row is None:
            self.loop.join(state.new_row())
        else:
            state.row.length = len(prompt) - tokens - 1
            prompt = prompt[state.row.length :]
        state.unread, state.limit = prompt, state.wishes.limit(tokens)
        state.tokens_in += len(prompt)
        state.sound = HiggsSound(self._model.codec, self.loop.shape, state.wishes.fades)

    def _prompt(self, state: HiggsSpeaking, text: str) -> mx.array:
        """The input rows of a sentence [n, hidden]: the recording, the words, and the mark of their end."""
        references = self._model._normalize_references(
            ref_audio_codes_list=state.heard or None, ref_texts=[state.wishes.said] if state.heard else None
        )
        rows: mx.array = self._model._build_prompt_embeddings(text, references)[0][0]
        return rows

    def _decode(self, states: Sequence[HiggsSpeaking]) -> None:
        for state in states:
            assert state.sound is not None
            state.decoding = state.sound.launch()


def _marks(tokenizer: Any) -> re.Pattern[str]:
    """What the model's own tokens are written as."""
    return re.compile("|".join(map(re.escape, sorted(tokenizer.get_added_vocab(), key=len, reverse=True))) or "(?!)")


def _encoded(tokenizer: Any, marks: re.Pattern[str], text: str) -> list[int]:
    """A client's text as tokens: marks of the model's own are no text."""
    while marks.search(text):
        text = marks.sub("", text)
    return list(tokenizer.encode(text, add_special_tokens=False))
