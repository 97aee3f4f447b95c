"""The ChatTTS engine: text to 24 kHz speech. Requests, and the pieces of a text, share the language model's steps."""

from __future__ import annotations

from collections.abc import Sequence

from speechmlx.engines.chattts.manner import LONGEST, read_manner
from speechmlx.engines.chattts.mel_decoder import MelDecoder
from speechmlx.engines.chattts.network import ChatModel
from speechmlx.engines.chattts.sequences import SequenceLoop, failure
from speechmlx.engines.chattts.sound import ChatSound
from speechmlx.engines.chattts.speakers import SpeakerBook
from speechmlx.engines.chattts.speech_request import ChatPiece, ChatSpeech
from speechmlx.engines.chattts.tokens import ChatTokens
from speechmlx.engines.lm.footprint import batch_bytes, bytes_per_token
from speechmlx.engines.lm.sampling import NOT_FINITE
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.prompt_reading import read_shortest_first
from speechmlx.engines.parts.step_events import StepEvents
from speechmlx.engines.parts.turn_synthesis import TurnSynthesis
from speechmlx.engines.parts.vocos import RATE, VocosDecoder
from speechmlx.reading.pauses import check_pauses
from speechmlx.types import Event, Speak, SpeakStream

MAX_BATCH = 4
PIECES = 3
"""Pieces of a request that are drawn at once: the next ones are ready when the first was heard."""


class ChatTts(TurnSynthesis[ChatSpeech]):
    """A loaded model."""

    name = "ChatTTS"

    def __init__(
        self,
        model: ChatModel,
        decoder: MelDecoder,
        vocoder: VocosDecoder,
        speakers: SpeakerBook,
        tokens: ChatTokens,
        nbytes: int,
        pipelined: bool = False,
    ) -> None:
        """`nbytes`: of all weights. `pipelined`: for a device that would wait for Python."""
        super().__init__(nbytes, MAX_BATCH, LayerPace())
        self._model, self._decoder, self._vocoder = model, decoder, vocoder
        self._speakers, self._tokens = speakers, tokens
        self._loop = SequenceLoop(model, pipelined)
        self._token_bytes = bytes_per_token(model)

    def _bytes(self, states: Sequence[ChatSpeech]) -> int:
        return batch_bytes(self._token_bytes, [LONGEST] * (PIECES * len(states)))

    def _state(self, request: Speak | SpeakStream) -> ChatSpeech:
        state = ChatSpeech(read_manner(request, self._tokens, self._speakers), rate=RATE)
        if isinstance(request, Speak):
            check_pauses(request.text)
            state.end(request.text)
        return state

    def end(self, state: ChatSpeech) -> None:
        """Free what the request holds: its keys and values, and its sound."""
        super().end(state)
        for piece in state.pieces:
            self._loop.remove(piece.sequence)
        state.open.clear()

    def _begin(self, state: ChatSpeech, events: list[Event | Exception]) -> None:
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
            state.open.append(ChatPiece(text, number, ChatSound(self._decoder, self._vocoder, self.pace), sequence))

    def _draw(self, states: Sequence[ChatSpeech], found: StepEvents) -> None:
        """Draw once for each piece; go on to speech where a text was refined."""
        drawing = {id(piece.sequence): (state, piece) for state in states for piece in state.pieces if piece.draws}
        for sequence, drawn in self._loop.step([piece.sequence for _, piece in drawing.values()]):
            state, piece = drawing[id(sequence)]
            if drawn[0] == NOT_FINITE:
                state.finished = True
                found[id(state)].append(failure(sequence))
                continue
            sequence.take(drawn)
            if not sequence.is_over:
                continue
            self._loop.remove(sequence)
            sequence.cache = None
            state.tokens_out += len(sequence.drawn)
            state.cut_off = state.cut_off or (sequence.is_speech and sequence.is_cut_off)
            if not sequence.is_speech:
                words = state.manner.refined(sequence, piece.text)
                piece.sequence = state.manner.speaking(words, piece.number, self._model.end)

    def _work(self, state: ChatSpeech, events: list[Event | Exception]) -> None:
        """A silence, a prompt, or a part of the first piece's sound."""
        first = state.open[0]
        if isinstance(first, float):
            state.open.popleft()
            events.append(state.silence(first))
        elif reading := [piece.sequence for piece in state.pieces if piece.sequence.is_reading]:
            read_shortest_first(self._piece, self.aim, reading[:1], lambda one: one.unread, self._loop.read)
        else:
            self._sound(state, first, events)
            if first.is_over:
                state.open.popleft()
