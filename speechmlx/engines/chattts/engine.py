"""The ChatTTS engine: text to 24 kHz speech. Requests, and the pieces of a text, share the language model's steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import Room
from speechmlx.engines.chattts.manner import LONGEST, read_manner
from speechmlx.engines.chattts.mel_decoder import MelDecoder
from speechmlx.engines.chattts.network import ChatModel
from speechmlx.engines.chattts.sequences import SequenceLoop, failure
from speechmlx.engines.chattts.sound import ChatSound
from speechmlx.engines.chattts.speakers import SpeakerBook
from speechmlx.engines.chattts.speech_request import ChatPiece, ChatSpeech
from speechmlx.engines.chattts.tokens import ChatTokens
from speechmlx.engines.lm.footprint import Unlimited, batch_bytes, bytes_per_token
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.parts.vocos import RATE, VocosDecoder
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading.pauses import check_pauses
from speechmlx.types import Chunk, Command, End, Event, FeedText, Request, Speak, SpeakStream

MAX_BATCH = 4
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 32, 16, 512
"""Tokens of a prompt read in a step: the first time, at least and at most."""
PIECES = 3
"""Pieces of a request that are drawn at once: the next ones are ready when the first was heard."""


class ChatTts:
    """A loaded model. Requests share the steps of the language model; the sound of one at a time is computed."""

    def __init__(
        self,
        model: ChatModel,
        decoder: MelDecoder,
        vocoder: VocosDecoder,
        speakers: SpeakerBook,
        tokens: ChatTokens,
        nbytes: int,
    ) -> None:
        """`nbytes`: of all weights."""
        self.nbytes = nbytes
        self.max_batch = self.max_open = MAX_BATCH
        self.room: Room = Unlimited()
        self._model, self._decoder, self._vocoder = model, decoder, vocoder
        self._speakers, self._tokens = speakers, tokens
        self._loop, self._pace = SequenceLoop(model), LayerPace()
        self._piece = StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)
        self._token_bytes = bytes_per_token(model)
        self._open = self._served = 0

    @property
    def aim(self) -> float:
        """Seconds that a step should take."""
        return self._pace.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self._pace.aim = seconds

    @property
    def held(self) -> int:
        """Bytes of keys and values of the open requests, at their full length."""
        return self._bytes(self._open)

    def _bytes(self, requests: int) -> int:
        return batch_bytes(self._token_bytes, [LONGEST] * (PIECES * requests))

    def begin(self, request: Request) -> ChatSpeech:
        """Raises BadRequest, Unsupported and UnknownVoice, which tell what is allowed; Busy for want of memory."""
        if not isinstance(request, Speak | SpeakStream):
            raise Unsupported(f"ChatTTS speaks; it cannot {type(request).__name__.lower()}")
        state = ChatSpeech(read_manner(request, self._tokens, self._speakers))
        if isinstance(request, Speak):
            if not request.text.strip():
                raise BadRequest("there is no word in the text")
            check_pauses(request.text)
            state.end(request.text)
        self.room.claim(self._bytes(self._open + 1))
        self._open += 1
        return state

    def feed(self, state: ChatSpeech, command: Command) -> None:
        """More text, or its end."""
        if isinstance(command, FeedText):
            state.feed(command.text)
        elif isinstance(command, End):
            state.end()
        else:
            raise BadRequest("a text is fed as text, not as sound")

    def end(self, state: ChatSpeech) -> None:
        """Free what the request holds: its keys and values, and its sound."""
        for piece in state.pieces:
            self._loop.remove(piece.sequence)
        state.drop()
        self._open -= 1

    def step(self, states: Sequence[ChatSpeech]) -> Sequence[Sequence[Event | Exception]]:
        """A token or a frame of each piece or, in turn, one piece of other work for who has waited longest for it."""
        events: StepEvents = {id(state): [] for state in states}
        for state in states:
            with ends_alone(state, events):
                self._begin_pieces(state)
        live = [state for state in states if not state.finished]
        drawing = [(state, piece) for state in live for piece in state.pieces if piece.draws]
        working = [state for state in live if self._has_work(state) and (state.is_next or not drawing)]
        if working:
            state = min(working, key=lambda one: one.served)  # a request that has just come is first
            self._served += 1
            state.served, state.is_next = self._served, False
            with ends_alone(state, events):
                self._work(state, events[id(state)])
        elif drawing:
            self._draw(drawing, events)
            for state in live:
                state.is_next = True
        for state in live:
            if not state.finished and state.is_ended and not state.open:
                events[id(state)] += state.closing()
        return [events[id(state)] for state in states]

    def _begin_pieces(self, state: ChatSpeech) -> None:
        """Begin pieces until PIECES are open, or there are no more."""
        while not state.finished and len(state.open) < PIECES:
            text = state.next_piece()
            if text is None:
                return
            if isinstance(text, float):
                state.open.append(text)
                continue
            number = state.begun
            state.begun += 1
            state.tokens_in += self._tokens.count(text)
            sequence = state.manner.refining(text, number)
            if sequence is None:
                sequence = state.manner.speaking(self._tokens.encode(text), number, self._model.end)
            state.open.append(ChatPiece(text, number, ChatSound(self._decoder, self._vocoder, self._pace), sequence))

    def _draw(self, drawing: Sequence[tuple[ChatSpeech, ChatPiece]], events: StepEvents) -> None:
        """Draw once for each piece; go on to speech where a text was refined."""
        failed = self._loop.step([piece.sequence for _, piece in drawing])
        for state, piece in drawing:
            sequence = piece.sequence
            if sequence in failed:
                state.finished = True
                events[id(state)].append(failure(sequence))
            elif sequence.is_over:
                state.tokens_out += len(sequence.drawn)
                state.cut_off = state.cut_off or (sequence.is_speech and sequence.is_cut_off)
                if not sequence.is_speech:
                    words = state.manner.refined(sequence, piece.text)
                    piece.sequence = state.manner.speaking(words, piece.number, self._model.end)

    def _has_work(self, state: ChatSpeech) -> bool:
        return bool(state.open) and (
            isinstance(state.open[0], float)
            or state.open[0].sounds
            or any(piece.sequence.is_reading for piece in state.pieces)
        )

    def _work(self, state: ChatSpeech, events: list[Event | Exception]) -> None:
        """Do one piece of work for the request alone: a silence, a prompt, or a part of the first piece's sound."""
        first = state.open[0]
        if isinstance(first, float):
            state.open.popleft()
            events.append(state.heard(Chunk(to_pcm16(np.zeros(round(first * RATE), np.float32)), RATE)))
            return
        if reading := [piece.sequence for piece in state.pieces if piece.sequence.is_reading]:
            count = min(self._piece.units(self.aim), reading[0].unread)
            with self._piece.timed(self.aim, count):
                self._loop.read(reading[0], count)
            return
        samples = first.step()
        if samples is not None and len(samples):
            events.append(state.heard(Chunk(to_pcm16(samples), RATE)))
        if first.is_over:
            state.open.popleft()
