"""The CosyVoice engine: text to 24 kHz speech in the voice of a recording or of a speaker, several requests at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import Room
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
from speechmlx.engines.lm.footprint import Unlimited, batch_bytes, bytes_per_token
from speechmlx.engines.lm.kv_cache import evaluate, new_cache
from speechmlx.engines.lm.sampling import NOT_FINITE
from speechmlx.engines.parts.held_arrays import bytes_of
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.parts.token_flow import FlowPrompt
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading.pauses import check_pauses
from speechmlx.types import (
    Chunk,
    Command,
    End,
    Event,
    FeedText,
    FlushText,
    Request,
    Speak,
    SpeakStream,
    TextFlushed,
)

FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 32, 16, 512
"""Tokens of a prompt read in a step: the first time, at least and at most."""
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


class CosyVoice:
    """A loaded model. Requests share the steps of the language model; the sound of one at a time is computed."""

    def __init__(
        self,
        generation: Generation,
        model: SpeechNetwork,
        new_sound: NewSound,
        rate: int,
        voices: VoiceBook,
        tokens: TextTokens,
        max_batch: int,
        pipelined: bool,
        pace: LayerPace,
    ) -> None:
        """`rate`: Hz of the sound. `pace`: that of all networks but the language model.

        `pipelined`: launch a speech token before the last one is read, for a device that would wait.
        """
        self.nbytes, self.max_batch, self.max_open = bytes_of(model, new_sound, voices), max_batch, max_batch
        self.room: Room = Unlimited()
        self.generation = generation
        self._model, self._new_sound, self._rate = model, new_sound, rate
        self._voices, self._tokens = voices, tokens
        self._decoder = Decoder[Utterance](model, pipelined=pipelined)
        self._pace, self._piece = pace, StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)
        self._request_bytes = batch_bytes(bytes_per_token(model), [longest_sequence(generation)])
        self._open = 0
        self._flow_room = 0
        """Bytes, of all open requests."""

    @property
    def aim(self) -> float:
        """Seconds that a step should take."""
        return self._pace.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self._pace.aim = seconds

    @property
    def held(self) -> int:
        """Bytes of keys and values of the open requests, at their full length, and of what the flow keeps of them."""
        return self._open * self._request_bytes + self._flow_room

    def begin(self, request: Request) -> Speaking:
        """Raises BadRequest, Unsupported and UnknownVoice, which tell what is allowed; Busy for want of memory."""
        if not isinstance(request, Speak | SpeakStream):
            raise Unsupported(f"{self.generation.name} speaks; it cannot {type(request).__name__.lower()}")
        manner = read_manner(request, self.generation, self._tokens)
        voice = None if manner.recording else self._voices.by_name(manner.name)
        preparing = self._voices.of(manner.recording) if manner.recording else None
        state = Speaking(manner, self._rate, voice, preparing)
        if isinstance(request, Speak):
            if not request.text.strip():
                raise BadRequest("there is no word in the text")
            check_pauses(request.text)
            state.end(request.text)
        state.flow_room = self._room_of_flow()
        self.room.claim((self._open + 1) * self._request_bytes + self._flow_room + state.flow_room)
        self._open += 1
        self._flow_room += state.flow_room
        return state

    def _room_of_flow(self) -> int:
        """Bytes that the flow of the next request may keep: none, where it sees all of its speech at once."""
        if not self.generation.is_chunked:
            return 0
        return min(MOST_KEPT, max(0, self.room.free - self._request_bytes) // self.max_batch)

    def feed(self, state: Speaking, command: Command) -> None:
        """More text, or its end."""
        if isinstance(command, FeedText):
            state.feed(command.text)
        elif isinstance(command, FlushText):
            state.flush()
        elif isinstance(command, End):
            state.end()
        else:
            raise BadRequest("a text is fed as text, not as sound")

    def end(self, state: Speaking) -> None:
        """Free what the request holds: its keys and values, and its sound."""
        if state.utterance is not None:
            self._decoder.remove(state.utterance)
        state.utterance = state.preparing = None
        state.drop()
        state.finished = True
        self._open -= 1
        self._flow_room -= state.flow_room

    def step(self, states: Sequence[Speaking]) -> Sequence[Sequence[Event | Exception]]:
        """A speech token for each request or, in turn, one piece of other work for the first request that has any.

        That is: preparing a voice, reading a prompt, or a step of the sound.
        """
        events: StepEvents = {id(state): [] for state in states}
        for state in states:
            with ends_alone(state, events):
                self._begin_piece(state, events[id(state)])
        writing = [state for state in states if state.utterance is not None and state.utterance.is_writing]
        working = next((state for state in states if self._has_work(state)), None)
        if working is not None and (working.is_next or not writing):
            working.is_next = False
            with ends_alone(working, events):
                self._work(working, events[id(working)])
        elif writing:
            self._generate(writing, events)
            for state in states:
                state.is_next = True
        return [events[id(state)] for state in states]

    def _begin_piece(self, state: Speaking, events: list[Event | Exception]) -> None:
        """Begin the next piece of text, if the last one is over and the voice is known; the end, if there is none."""
        if state.utterance is not None:
            state.utterance.go_on()
        if state.utterance is not None or state.voice is None or state.finished:
            return
        piece = state.next_piece()
        if piece is None:
            events += state.closing() if state.is_ended else []
        elif isinstance(piece, TextPiece) and piece.is_flush:
            events.append(TextFlushed())
        elif isinstance(piece, TextPiece) and piece.silence:
            events.append(state.heard(Chunk.silence(state.rate, piece.silence)))
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

    def _generate(self, states: Sequence[Speaking], events: StepEvents) -> None:
        """The next token of the utterance of each, which is neither reading nor waiting for text."""
        writing = {id(state.utterance): state for state in states}
        rows = [state.utterance for state in states if state.utterance is not None]
        for utterance, token in self._decoder.step(rows):
            state = writing[id(utterance)]
            if token == NOT_FINITE:
                state.finished = True
                events[id(state)].append(NotFinite("the logits of the next speech token"))
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

    def _has_work(self, state: Speaking) -> bool:
        utterance = state.utterance
        if state.finished or utterance is None:
            return not state.finished and state.preparing is not None
        return utterance.is_reading or utterance.sounds

    def _work(self, state: Speaking, events: list[Event | Exception]) -> None:
        """Do one piece of work for the request alone."""
        if state.preparing is not None:
            self._prepare(state)
        elif state.utterance is not None and state.utterance.is_reading:
            self._read(state.utterance)
        elif state.utterance is not None:
            self._sound(state, state.utterance, events)

    def _prepare(self, state: Speaking) -> None:
        assert state.preparing is not None
        try:
            next(state.preparing)
        except StopIteration as end:
            state.voice, state.preparing = end.value, None

    def _read(self, utterance: Utterance) -> None:
        """Read some of the prompt. Its last token is read with the speech."""
        assert utterance.cache is not None
        end = min(utterance.read + self._piece.units(self.aim), len(utterance.tokens) - 1)
        given = None if utterance.given is None else utterance.given[:, utterance.read : end]
        with self._piece.timed(self.aim, end - utterance.read):
            self._model(mx.array([utterance.tokens[utterance.read : end]]), cache=utterance.cache, given=given)
            evaluate(utterance.cache)
        utterance.read = end
        if not utterance.is_reading:
            utterance.given = None

    def _sound(self, state: Speaking, utterance: Utterance, events: list[Event | Exception]) -> None:
        samples = utterance.step()
        if samples is not None and len(samples):
            events.append(state.heard(Chunk(to_pcm16(samples), state.rate)))
        if not utterance.sounds and utterance.is_whole:
            state.utterance = None
