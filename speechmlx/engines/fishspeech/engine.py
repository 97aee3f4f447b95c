"""The engine: a turn of a request's conversation for each piece of its text, in the voice of a recording or its own."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import mlx.core as mx

from speechmlx import languages
from speechmlx.engines.fishspeech.firefly import RATE, FireflyDecoder
from speechmlx.engines.fishspeech.frames import FishLoop
from speechmlx.engines.fishspeech.network import DualAr
from speechmlx.engines.fishspeech.settings import FishSettings, read_settings
from speechmlx.engines.fishspeech.shape import DualArShape
from speechmlx.engines.fishspeech.speaking import FishSpeaking
from speechmlx.engines.fishspeech.text_tokens import FishTokens
from speechmlx.engines.fishspeech.voices import ReferenceShelf, check_recording
from speechmlx.engines.parts.frame_synthesis import FrameSynthesis
from speechmlx.engines.parts.launched import Launched
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Event, ReferenceVoice, Speak, SpeakStream, Synthesis

log = logging.getLogger(__name__)

CONTEXT = 4096
"""Positions of a sequence, at most: the reference implementation goes no further."""
LANGUAGES = ("en", "zh", "ja", "de", "fr", "es", "ko", "ar", "ru", "nl", "it", "pl", "pt")


class FishSpeech(FrameSynthesis[FishSpeaking]):
    """A loaded model."""

    name = "FishSpeech"
    loop: FishLoop

    def __init__(
        self,
        model: DualAr,
        shape: DualArShape,
        tokens: FishTokens,
        decoder: FireflyDecoder,
        shelf: ReferenceShelf,
        *,
        nbytes: int,
        fused: bool = False,
        pipelined: bool = False,
    ) -> None:
        """`nbytes`: of all weights. `fused`: for a GPU. `pipelined`: for a device that would wait for Python."""
        loop = FishLoop(model, shape, model.norm.weight.dtype, fused, pipelined)
        super().__init__(loop, nbytes, decoder.open(1).nbytes)
        self._tokens, self._decoder, self.shelf = tokens, decoder, shelf
        self._context = min(CONTEXT, shape.positions)

    def _state(self, request: Speak | SpeakStream) -> FishSpeaking:
        settings = self._settings(request)
        voice = request.voice if isinstance(request.voice, ReferenceVoice) else None
        if voice is not None:
            check_recording(voice.audio)
        elif request.voice is not None:
            log.warning("FishSpeech has no voices by name, and no recording is stored as the one asked for")
        said, hearing = (voice.text.strip(), self.shelf.hear(voice)) if voice else ("", None)
        state = FishSpeaking(
            settings, self._tokens, self._context, said, rate=RATE, seed=settings.seed, hearing=hearing
        )
        if isinstance(request, Speak):
            state.end(request.text)
        state.longest = self._longest(state, voice.audio.duration if voice else 0.0)
        return state

    def _settings(self, request: Synthesis) -> FishSettings:
        if request.speed != 1.0:
            raise Unsupported(f"FishSpeech speaks at its own speed, so speed is 1, not {request.speed:g}")
        language = languages.asked(request.language)
        if language is not None and languages.match(language, LANGUAGES) is None:
            raise languages.refusal(language, LANGUAGES, "FishSpeech")
        return read_settings(request.options)

    def _longest(self, state: FishSpeaking, seconds: float) -> int:
        """Positions that the sequence of a request may come to. Raises BadRequest where the recording fills it."""
        tokens = self._tokens
        base = tokens.system().shape[1]
        if seconds:
            base += tokens.asked(state.said).shape[1] + math.ceil(seconds * RATE / self._decoder.frame) + 2
        if base > self._context * 3 // 4:
            raise BadRequest(
                f"the recording and what is said in it take {base} positions, and {self._context * 3 // 4} may be: "
                "send 5 to 15 s, and the words of that part"
            )
        if not state.is_ended:
            return self._context
        turns = sum(tokens.asked(piece).shape[1] + 1 + state.settings.frames for piece in state.coming)
        return min(self._context, base + turns)

    def _begin(self, state: FishSpeaking, events: list[Event | Exception]) -> None:
        if (piece := state.next_piece(events)) is None:
            return
        before = state.row
        new = state.begin(piece)
        if new is not None:
            if before is not None:
                self.loop.leave(before)
            self.loop.join(new)
        state.sound = self._decoder.open(1)

    def _decode(self, states: Sequence[FishSpeaking]) -> None:
        for state in states:
            assert state.sound is not None
            codes, count = state.next_codes()
            samples = self._decoder.step(codes, state.sound)
            mx.async_eval(samples, state.sound.arrays)
            state.decoding = Launched(samples), (0, slice(count * self._decoder.frame))
