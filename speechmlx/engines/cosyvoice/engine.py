"""The CosyVoice engine: text to 24 kHz speech in the voice of a recording or of a speaker, several requests at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx

from speechmlx.engines.cosyvoice.drawing import RepetitionAwareSampler
from speechmlx.engines.cosyvoice.generation import Generation
from speechmlx.engines.cosyvoice.live_text import LiveText
from speechmlx.engines.cosyvoice.manner import FASTEST, MOST_BEFORE, SLOWEST, read_manner
from speechmlx.engines.cosyvoice.speaking import Speaking
from speechmlx.engines.cosyvoice.speech_model import SpeechNetwork
from speechmlx.engines.cosyvoice.streamed_utterance import StreamedUtterance
from speechmlx.engines.cosyvoice.text_pieces import MOST, TextPiece
from speechmlx.engines.cosyvoice.text_tokens import TextTokens
from speechmlx.engines.cosyvoice.utterance import LONGEST, SHORTEST, TokenSound, Utterance
from speechmlx.engines.cosyvoice.voices import LONGEST as RECORDING
from speechmlx.engines.cosyvoice.voices import PreparedVoice, VoiceBook
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.lm.decoder import Decoder
from speechmlx.engines.lm.footprint import batch_bytes, bytes_per_token
from speechmlx.engines.lm.kv_cache import evaluate, new_cache
from speechmlx.engines.lm.sampling import NOT_FINITE
from speechmlx.engines.parts.held_arrays import bytes_of
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.prompt_reading import read_shortest_first
from speechmlx.engines.parts.step_events import StepEvents
from speechmlx.engines.parts.token_flow import FlowPrompt
from speechmlx.engines.parts.turn_synthesis import TurnSynthesis
from speechmlx.reading.pauses import check_pauses
from speechmlx.types import Event, Speak, SpeakStream, TextFlushed

MAX_BATCH = 4
MARKS = 16
"""Tokens at most that a prompt has besides text and speech."""

MOST_KEPT = 4 * 10**9
"""Bytes of what the flow knows of the speech so far, for a request, at most; less where memory is short."""

NewSound = Callable[[FlowPrompt, float, int, int], TokenSound]
"""From a voice, a tempo, a seed, and the bytes that the flow may keep."""


def longest_sequence(generation: Generation) -> int:
    """Tokens of a sequence at most: the memory that is claimed for a request."""
    recording = 0 if generation.recording_refused else round(generation.token_rate * RECORDING)
    return MOST_BEFORE + recording + (1 + LONGEST) * MOST + MARKS


class CosyVoice(TurnSynthesis[Speaking]):
    """A loaded model."""

    def __init__(
        self,
        generation: Generation,
        model: SpeechNetwork,
        new_sound: NewSound,
        rate: int,
        voices: VoiceBook,
        tokens: TextTokens,
        pipelined: bool,
        pace: LayerPace,
    ) -> None:
        """`rate`: Hz of the sound. `pace`: that of all networks but the language model.

        `pipelined`: launch a speech token before the last one is read, for a device that would wait.
        """
        super().__init__(bytes_of(model, new_sound, voices), MAX_BATCH, pace)
        self.generation, self.name = generation, generation.name
        self._model, self._new_sound, self._rate = model, new_sound, rate
        self._voices, self._tokens = voices, tokens
        self._decoder = Decoder[Utterance](model, pipelined=pipelined)
        self._request_bytes = batch_bytes(bytes_per_token(model), [longest_sequence(generation)])

    def _bytes(self, states: Sequence[Speaking]) -> int:
        """Bytes of keys and values of requests, at their full length, and of what the flow keeps of them."""
        return len(states) * self._request_bytes + sum(state.flow_room for state in states)

    def _state(self, request: Speak | SpeakStream) -> Speaking:
        manner = read_manner(request, self.generation, self._tokens)
        voice = None if manner.recording else self._voices.by_name(manner.name)
        hearing = self._voices.of(manner.recording) if manner.recording else None
        state = Speaking(manner, voice, self._room_of_flow(), rate=self._rate, hearing=hearing)
        if isinstance(request, Speak):
            check_pauses(request.text)
            state.end(request.text)
        return state

    def _room_of_flow(self) -> int:
        """Bytes that the flow of the next request may keep: none, where it sees all of its speech at once."""
        if not self.generation.is_chunked:
            return 0
        return min(MOST_KEPT, max(0, self.room.free - self._request_bytes) // self.max_batch)

    def end(self, state: Speaking) -> None:
        """Free what the request holds: its keys and values, and its sound."""
        super().end(state)
        if state.utterance is not None:
            self._decoder.remove(state.utterance)
        state.utterance = None

    def forget_voices(self) -> None:
        """Free what is kept of the voices of recordings."""
        self._voices.forget()

    def _waiting(self, states: Sequence[Speaking]) -> Sequence[Speaking]:
        """The first alone: the worker has put first whose turn it is."""
        return states[:1]

    def _begin(self, state: Speaking, events: list[Event | Exception]) -> None:
        """Begin the next piece of text, if the last one is over and the voice is known."""
        if state.utterance is not None:
            state.utterance.go_on()
        if state.utterance is not None or state.voice is None or state.finished:
            return
        piece = state.next_piece()
        if piece is None:
            return
        if isinstance(piece, TextPiece) and piece.is_flush:
            events.append(TextFlushed())
        elif isinstance(piece, TextPiece) and piece.silence:
            events.append(state.silence(piece.silence))
        else:
            state.utterance = self._utterance(state, piece, state.voice)
            state.begun += 1

    def _utterance(self, state: Speaking, piece: TextPiece | LiveText, voice: PreparedVoice) -> Utterance:
        """The utterance of the next piece."""
        rate = piece.rate if isinstance(piece, TextPiece) else 1.0
        speed = min(max(state.manner.speed * rate, SLOWEST), FASTEST)
        seed = (state.manner.seed + state.begun) % 2**32
        silent, cache = self.generation.silent, new_cache(self._model)
        sound = self._new_sound(voice.flow, speed, seed, state.flow_room)
        if isinstance(piece, LiveText):
            mix = state.manner.interleaving(voice)
            return StreamedUtterance.begin(mix, piece, seed, sound, silent, cache)
        prompt = state.manner.prompt(piece.text, voice)
        tokens, words, speech = prompt.tokens(self.generation), len(prompt.text), self.generation.speech
        return Utterance(
            tokens=tokens,
            prompt=len(tokens),
            limit=LONGEST * words,
            sampler=RepetitionAwareSampler(seed, SHORTEST * words, speech),
            sound=sound,
            silent=silent,
            cache=cache,
            words=words,
            given=self._model.given(prompt),
            speech=speech,
        )

    def _draw(self, states: Sequence[Speaking], found: StepEvents) -> None:
        """The next token of the utterance of each, which is neither reading nor waiting for text."""
        writing = {id(state.utterance): state for state in states}
        rows = [state.utterance for state in states if state.utterance is not None]
        for utterance, token in self._decoder.step(rows):
            state = writing[id(utterance)]
            if token == NOT_FINITE:
                state.finished = True
                found[id(state)].append(NotFinite("the logits of the next speech token"))
                continue
            utterance.add(token)
            if utterance.is_waiting:
                self._decoder.pause(utterance)
            elif utterance.is_whole:
                self._decoder.remove(utterance)
                utterance.cache = None
                state.tokens_in += utterance.words
                state.tokens_out += utterance.spoken
                state.cut_off = state.cut_off or utterance.is_cut_off

    def _work(self, state: Speaking, events: list[Event | Exception]) -> None:
        if state.hearing is not None:
            state.listen()
        elif state.utterance is not None and state.utterance.is_reading:
            read_shortest_first(self._piece, self.aim, [state.utterance], lambda one: one.unread, self._read)
        elif state.utterance is not None:
            self._sound(state, state.utterance, events)
            if not state.utterance.sounds and state.utterance.is_whole:
                state.utterance = None

    def _read(self, utterance: Utterance, most: int) -> int:
        """Read some of the prompt. Its last token is read with the speech."""
        assert utterance.cache is not None
        count = min(most, utterance.unread)
        end = utterance.read + count
        given = None if utterance.given is None else utterance.given[:, utterance.read : end]
        self._model(mx.array([utterance.tokens[utterance.read : end]]), cache=utterance.cache, given=given)
        evaluate(utterance.cache)
        utterance.read = end
        if not utterance.is_reading:
            utterance.given = None
        return count
