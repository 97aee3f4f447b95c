"""The memory of Whisper's seats: keys and values of tokens and audio, claimed before a request has any.

A request claims one seat. Those of further windows of a long recording are taken where memory is free, and no request
is refused for them; requests that are open beyond the largest batch share its seats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from speechmlx.engines import Room
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.whisper.decoding.kv_cache import SPARE
from speechmlx.engines.whisper.model.mel import FRAMES_PER_SECOND, RATE, roomy
from speechmlx.engines.whisper.model.network import Network
from speechmlx.engines.whisper.streaming.stream import LONGEST, STEP, TAIL_ROOM
from speechmlx.errors import BadRequest


@dataclass(frozen=True)
class SeatSizes:
    """Bytes of what a seat has, and what several come to. A `BatchCache` has seats for 1, 2, 4, ... up to `most`."""

    most: int
    """Windows, and live streams, that have seats at once."""
    tokens: int
    """Keys and values of a sequence: a whole context."""
    pipelined: int
    """Those of a sequence that is decoded greedily: on a GPU there are two sets."""
    audio: int
    """Keys and values of a window."""
    live_audio: int
    """Those of a live stream's buffer."""

    @classmethod
    def of(cls, network: Network, most: int) -> SeatSizes:
        """The sizes of `network` with up to `most` seats of a kind."""
        dims = network.dims
        position = 2 * dims.n_text_layer * dims.n_text_state * network.dtype.size
        tokens = position * (dims.n_text_ctx + SPARE)
        buffer = roomy((LONGEST + 2 * STEP) * FRAMES_PER_SECOND // RATE + TAIL_ROOM) // 2
        sets = 2 if network.kernels.pipelined else 1
        places = min(dims.n_audio_ctx, buffer)
        return cls(most, tokens, sets * tokens, position * dims.n_audio_ctx, position * places)

    def recordings(self, windows: Mapping[int, int]) -> int:
        """Of so many windows under way, by the size of their beams. A beam that is given up is decoded greedily."""
        searched = sum(self._beams(size, count) for size, count in windows.items() if size > 1 and count)
        return searched + self._rows(min(self.most, sum(windows.values())), self.pipelined, self.audio)

    def streams(self, count: int) -> int:
        """Of so many live streams."""
        seats = min(self.most, count)
        return self._rows(seats, self.tokens, self.live_audio) + (count - seats) * self.live_audio

    def _rows(self, count: int, tokens: int, audio: int) -> int:
        """Seats, and beside them the audio of those that wait for one while others have theirs."""
        return _capacity(count, self.most) * (tokens + audio) + max(0, count - 1) * audio

    def _beams(self, size: int, count: int) -> int:
        """Searches share a window's audio among their rows, and keep it apart too, for the times of words."""
        return (
            _capacity(size * count, size * self.most) * self.tokens + (_capacity(count, self.most) + count) * self.audio
        )


def _capacity(rows: int, most: int) -> int:
    """Rows that a cache has room for once there were so many."""
    return min(most, 1 << (rows - 1).bit_length()) if rows else 0


class SeatClaims:
    """The seats that the open requests of one model may have."""

    def __init__(self, sizes: SeatSizes) -> None:
        self.sizes = sizes
        self.room: Room = Unlimited()
        self._open: Counter[int] = Counter()
        """Open recordings by the size of their beams."""
        self._windows: Counter[int] = Counter()
        """Windows that may be under way, by the size of their beams."""
        self._streams = 0
        self.recordings_hold = self.streams_hold = 0
        """Bytes that there are, which may be more than is claimed: seats stay until all are free."""

    @property
    def held(self) -> int:
        """Bytes that are claimed, or held where that is more."""
        return self._held(self._windows, self._streams)

    def begin_recording(self, beams: int) -> None:
        """Claim a seat for a recording.

        Raises BadRequest for beams that could never have their memory, Busy where others hold it; both with numbers.
        """
        wanted = self._windows.copy()
        wanted[beams] = max(wanted[beams], min(self.sizes.most, self._open[beams] + 1))
        alone, first = (self.sizes.recordings({size: 1}) for size in (beams, 1))
        if alone > max(first, self.room.most):
            raise BadRequest(
                f"a beam of {beams} takes {alone / 1e6:.0f} MB with this model, whose requests may have "
                f"{max(0, self.room.most) / 1e6:.0f} MB (--memory-limit); use a smaller beam_size"
            )
        self._claim(self._held(wanted, self._streams), first)
        self._open[beams] += 1
        self._windows = wanted

    def begin_stream(self) -> None:
        """Claim a seat for a live stream. Raises Busy, with the numbers, where others hold the memory."""
        self._claim(self._held(self._windows, self._streams + 1), self.sizes.streams(1))
        self._streams += 1

    def end_recording(self, beams: int, under_way: Mapping[int, int]) -> None:
        """Give back what a recording has; `under_way`: the windows of the others."""
        self._open[beams] -= 1
        self.settle(under_way)

    def end_stream(self) -> None:
        """Give back what a live stream has."""
        self._streams -= 1

    def settle(self, under_way: Mapping[int, int]) -> None:
        """Give back the seats for windows that are not under way: by the size of their beams, these are."""
        sizes = {*self._open, *under_way}
        self._windows = Counter(
            {size: max(min(self.sizes.most, self._open[size]), under_way.get(size, 0)) for size in sizes}
        )

    def allow(self, beams: int, under_way: Mapping[int, int]) -> bool:
        """Whether one more window may begin beside those under way. Takes memory for it that is free."""
        if under_way.get(beams, 0) < self._windows[beams]:
            return True
        more = self._windows + Counter({beams: 1})
        if self._held(more, self._streams) - self.held > self.room.free:
            return False
        self._windows = more
        return True

    def _held(self, windows: Mapping[int, int], streams: int) -> int:
        recorded = max(self.sizes.recordings(windows), self.recordings_hold)
        return recorded + max(self.sizes.streams(streams), self.streams_hold)

    def _claim(self, wanted: int, first: int) -> None:
        """Have room for `wanted` bytes; the `first` seat of a model comes with it, as its warm-up had one."""
        if self._streams or +self._open or wanted > first:
            if wanted > self.held:
                self.room.claim(wanted)
        else:
            self.room.claim(min(wanted, self.room.reachable))
