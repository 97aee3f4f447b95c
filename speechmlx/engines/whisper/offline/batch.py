"""`Batched` for `Transcribe`: windows of many recordings, encoded in slices and decoded in one batch.

Where a window stands is its `stage`. A step does one piece of work for the windows of one stage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from speechmlx.engines import AIM, LONG_AIM
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.decoding.beam import BeamSearch
from speechmlx.engines.whisper.decoding.greedy import GreedyBatch, TokenSequence
from speechmlx.engines.whisper.decoding.language import detect_language
from speechmlx.engines.whisper.decoding.sampling import SamplingRules
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.mel import FRAMES_PER_SECOND
from speechmlx.engines.whisper.model.network import Network
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.attempt import choose_attempt
from speechmlx.engines.whisper.offline.encoder_pass import FIRST, MOST, EncoderPass, windows_at_once
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.engines.whisper.offline.window import Stage, Window
from speechmlx.engines.whisper.offline.word_timing import Aligner, WindowText
from speechmlx.engines.whisper.seat_memory import SeatClaims
from speechmlx.types import Event, Transcribe

UNDER_WAY = (Stage.ENCODING, Stage.ENCODED, Stage.DECODING, Stage.ALIGNING)
"""Stages of windows that hold memory on the device."""
SEATS_OF_A_BEAM = 2
"""Seats that a window decoded by beam search counts for."""


class WindowBatch:
    """The open Transcribe requests of one model."""

    def __init__(self, network: Network, vocabulary: Vocabulary, heads: Heads, device: str, seats: SeatClaims) -> None:
        self._seats = seats
        self.max_batch = max_batch = seats.sizes.most
        self.aim = LONG_AIM
        """Seconds that a step should take."""
        self._network = network
        self._vocabulary = vocabulary
        self._aligner = Aligner(network, vocabulary, heads)
        self._device = device
        self._size = StepSize(FIRST[device], 1, MOST[device])
        self._states: list[TranscriptionState] = []
        self._passes: list[EncoderPass] = []
        """The first of them is in the encoder."""
        self._greedy = GreedyBatch(network, vocabulary, max_batch)
        self._searches: dict[int, BeamSearch] = {}
        """Beam searches by the size of their beams."""
        self._work = {
            Stage.ALIGNING: self._align,
            Stage.ENCODING: self._encode,
            Stage.WAITING: self._start_encoding,
            Stage.ENCODED: self._seat,
            Stage.DECODING: self._decode,
        }
        """What a step does for the windows of each stage; the first stage with work goes first.

        Encoding goes before decoding, so that as many windows as possible are decoded together.
        """

    @property
    def held(self) -> int:
        """Bytes of the keys and values of all seats, and of the audio of windows that have it apart, at most."""
        apart = [window for window in self._at(*UNDER_WAY) if window.sequence is None or window.search is not None]
        seated = self._greedy.held + sum(search.held for search in self._searches.values())
        return seated + len(apart) * self._seats.sizes.audio

    def begin(self, request: Transcribe) -> TranscriptionState:
        """Raises BadRequest, and Busy where others hold the memory for its seat."""
        state = TranscriptionState(request, self._vocabulary, self._network.dims.n_mels)
        self._seats.begin_recording(state.beams)
        self._states.append(state)
        return state

    def step(self, states: Sequence[TranscriptionState]) -> list[list[Event | Exception]]:
        """Do a slice of a spectrogram or of the encoder, a first or a next token, or the word times of a window.

        Windows of all open requests take part, but only those of `states` enter the encoder.
        """
        unprepared = next((state for state in states if not state.prepared), None)
        if unprepared is not None:
            unprepared.prepare()
        else:
            for stage, work in self._work.items():
                windows = self._next_to_encode(states) if stage is Stage.WAITING else self._at(stage)
                if windows := [window for window in windows if window.state.error is None]:
                    work(windows)
                    break
        self._seats.recordings_hold = self.held
        return [[*state.take_events()] for state in states]

    def end(self, state: TranscriptionState) -> None:
        for window in state.windows:
            if window.sequence is not None:
                self._leave(window)
        self._states.remove(state)
        self._passes = [one for one in self._passes if any(window.state in self._states for window in one.windows)]
        self._seats.recordings_hold = self.held
        self._seats.end_recording(state.beams, self._beams(self._at(*UNDER_WAY)))

    def _beams(self, windows: Sequence[Window]) -> Counter[int]:
        """How many of the windows there are by the size of their beams."""
        return Counter(window.state.beams for window in windows)

    def _at(self, *stages: Stage) -> list[Window]:
        return [window for state in self._states for window in state.windows if window.stage in stages]

    # --- WAITING → ENCODING → ENCODED ---

    def _next_to_encode(self, states: Sequence[TranscriptionState]) -> list[Window]:
        """Windows to encode together now: of one length, and first those of the request with fewest under way."""
        seated = self._at(*UNDER_WAY)
        free = self.max_batch - sum(1 if window.search is None else SEATS_OF_A_BEAM for window in seated)
        if free <= 0:
            return []
        order: list[tuple[int, Window]] = []
        for state in states:
            under_way = sum(window.state is state for window in seated)
            waiting = (window for window in state.windows if window.stage is Stage.WAITING)
            order += [(under_way + place, window) for place, window in enumerate(waiting)]
        order.sort(key=lambda pair: pair[0])
        alike = [window for _, window in order if window.encoded_frames == order[0][1].encoded_frames]
        most = windows_at_once(self._device, self._size.units(self.aim), alike[0], self.aim) if alike else 0
        return self._with_memory(alike[: min(free, most)], self._beams(seated))

    def _with_memory(self, windows: list[Window], under_way: Counter[int]) -> list[Window]:
        """Those that have memory for a seat beside the windows under way; the others wait for the seats of these."""
        self._seats.settle(under_way)
        begun = []
        for window in windows:
            if self._seats.allow(window.state.beams, under_way):
                under_way[window.state.beams] += 1
                begun.append(window)
        return begun

    def _start_encoding(self, windows: list[Window]) -> None:
        self._passes = [EncoderPass.begin(self._network, self._size, windows, self.aim)]

    def _encode(self, windows: list[Window]) -> None:
        """A slice of the encoder, of one window where somebody has begun to wait for the end of each step."""
        if self.aim <= AIM and len(self._passes[0].windows) > 1:
            apart = self._passes[0].split()
            self._passes[:1] = [one for one in apart if one.windows[0].state in self._states]
        self._passes[0].advance(self.aim)
        if self._passes[0].is_done:
            del self._passes[0]

    # --- ENCODED → DECODING → ALIGNING ---

    def _seat(self, windows: list[Window]) -> None:
        """Give windows their seats and decode their first tokens."""
        for window in windows:
            with window.state.ended_by_error():
                window.sequence = self._sequence_of(window)
        windows = [window for window in windows if window.state.error is None]
        for window in windows:
            window.cross, window.stage = None, Stage.DECODING
            size = window.state.beams
            if size > 1:
                if size not in self._searches:
                    self._searches[size] = BeamSearch(self._network, self._vocabulary, size, self.max_batch)
                window.search = self._searches[size]
                window.search.join(window.tokens)
        greedy = [window for window in windows if window.search is None]
        greedy.sort(key=lambda window: (len(window.tokens.prompt), window.tokens.prefix_length))
        self._greedy.join([window.tokens for window in greedy])
        for window in greedy:
            window.tokens.finished |= window.is_empty
        self._settle(windows)

    def _sequence_of(self, window: Window) -> TokenSequence:
        state, cross = window.state, window.cross
        assert cross is not None
        if state.language is None:
            state.set_language(*detect_language(self._network, self._vocabulary, cross, state.candidates))
        prompt, prefix_length = state.prompt(window.queue)
        limit = min(window.most_tokens, self._network.dims.n_text_ctx - len(prompt))
        return TokenSequence(prompt, state.rules(0), cross, limit, prefix_length)

    def _decode(self, windows: list[Window]) -> None:
        """Decode one token for every seated window."""
        self._greedy.step()
        for search in self._searches.values():
            search.step()
        self._settle(windows)

    def _settle(self, windows: list[Window]) -> None:
        """Judge the windows that are decoded: decode them again, align their words, or conclude them."""
        for window in [window for window in windows if window.tokens.finished]:
            with window.state.ended_by_error():
                self._judge(window)

    def _judge(self, window: Window) -> None:
        state = window.state
        if window.tokens.failed:
            raise NotFinite("the recognition of speech")
        places = self._aligner.places(self._text_of(window, window.tokens.tokens)) if state.doubts(window) else ()
        attempt = state.judge(window, places)
        if attempt is not None:
            self._decode_again(window, state.rules(attempt))
        elif state.request.words:
            window.stage = Stage.ALIGNING
        else:
            self._leave(window)
            state.conclude(window)

    def _decode_again(self, window: Window, rules: SamplingRules) -> None:
        """Decode a window greedily under other rules. A finished beam search has left its seat already."""
        if window.search is None:
            self._greedy.retry(window.tokens, rules)
        else:
            window.search = None
            window.tokens.restart(rules)
            self._greedy.join([window.tokens])

    def _leave(self, window: Window) -> None:
        (window.search or self._greedy).leave(window.tokens)

    # --- ALIGNING → segments ---

    def _align(self, windows: list[Window]) -> None:
        """Time the words of one window and conclude it."""
        window = windows[0]
        state = window.state
        assert state.language is not None
        after = max(0.0, window.queue.last_end - window.start / FRAMES_PER_SECOND)
        text = self._text_of(window, choose_attempt(window.attempts).tokens)
        with state.ended_by_error():
            words = self._aligner.align(text, state.language, after)
            self._leave(window)
            state.conclude(window, words)

    def _text_of(self, window: Window, tokens: Sequence[int]) -> WindowText:
        """The text of `tokens`, which were decoded from a seated window."""
        state = window.state
        assert state.language is not None
        cross = window.tokens.cross or self._greedy.cross(window.tokens)
        start = self._vocabulary.start(state.language, state.request.task)
        return WindowText(cross, start, state.text_tokens(tokens), window.end - window.start)
