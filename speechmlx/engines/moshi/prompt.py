"""What a conversation begins with: the voice, silence and the role, as forced frames; and the state that they leave.

All of a prompt is known before, so the network reads many frames at once and predicts none.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines import LONG_AIM
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.moshi.frame import COLUMNS, IS_LATE, NOT_HEARD, STAGES
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.ring import MoshiRing
from speechmlx.engines.moshi.sizes import STREAMS, VOICED, MoshiSizes
from speechmlx.engines.parts.mimi import NO_CODE, Mimi
from speechmlx.engines.step_size import StepSize

if TYPE_CHECKING:
    from speechmlx.types import Samples

Tokens = NDArray[np.int32]

PAD = 3
"""The text token of a frame without text."""
SILENCE = (948, 243, 1178, 546, 1736, 1030, 1978, 2008)
"""Codes of the model's silence, as PersonaPlex was trained with."""
SINE = (430, 1268, 381, 1611, 1095, 1495, 56, 472)
"""Codes of the tone that stands for a person who is not there yet."""
PAUSE = 6
"""Frames of silence before and after the role: half a second."""
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 16, 4, 256
"""Frames read in a step: the first time, at least and at most. Weights are read once for all of them, so that a few
take little longer than one."""
FIRST_HEARD, MOST_HEARD = 4, 64
"""Frames of a recording that the codec encodes in a step, the first time and at most."""
KEPT = 4
"""Prompts whose keys and values are kept for the next conversation with the same voice and role."""


@dataclass(frozen=True)
class MoshiVoice:
    """A voice as PersonaPlex publishes them: inputs of the network, and the last tokens."""

    inputs: mx.array
    """[frames, dim]"""
    ring: Tokens
    """[STREAMS, 4]: the tokens of a column are at its number modulo 4. `inputs` begin at column 0."""

    @property
    def last(self) -> Tokens:
        """The column of the next input, and the delayed tokens of the column after it: [2, STREAMS]."""
        after = len(self.inputs)
        width = self.ring.shape[1]
        return np.stack([self.ring[:, after % width], self.ring[:, (after + 1) % width]])


@dataclass(frozen=True)
class MoshiPrompt:
    """What a conversation begins with. Nothing of it for a model that takes neither a voice nor a role."""

    voice: MoshiVoice | None = None
    recording: Samples | None = None
    """Speech at 24 kHz whose voice is imitated, in place of a saved one."""
    role: tuple[int, ...] = ()
    """Text tokens."""
    pauses: bool = False
    """Whether there is silence around the role."""

    def frames(self, frame: int) -> int:
        """Frames of all of it; `frame`: samples of one."""
        voiced = 0 if self.voice is None else len(self.voice.inputs)
        recorded = 0 if self.recording is None else -(-len(self.recording) // frame)
        return voiced + recorded + len(self.role) + 2 * PAUSE * self.pauses


@dataclass
class MoshiPromptState:
    """What is left of a prompt that was read: keys and values, and the window of tokens [STREAMS, COLUMNS]."""

    ring: MoshiRing
    tokens: mx.array
    forced: mx.array

    def copy(self) -> MoshiPromptState:
        """For a conversation that goes on by itself."""
        return MoshiPromptState(self.ring.copy(), self.tokens, self.forced)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.ring.arrays())

    def is_finite(self) -> bool:
        """Whether all keys and values are finite numbers: a conversation that goes on from them cannot say anything."""
        checks = [mx.isfinite(array).all() for array in self.ring.arrays()]
        return not checks or bool(mx.all(mx.stack(checks)).item())


class MoshiPromptStates:
    """The states of the last prompts, by voice and role."""

    def __init__(self) -> None:
        self._states: OrderedDict[object, MoshiPromptState] = OrderedDict()

    @property
    def nbytes(self) -> int:
        return sum(state.nbytes for state in self._states.values())

    def find(self, key: object) -> MoshiPromptState | None:
        """A copy of the state of a prompt."""
        if key not in self._states:
            return None
        self._states.move_to_end(key)
        return self._states[key].copy()

    def keep(self, key: object, state: MoshiPromptState) -> None:
        """Keep a copy; the oldest prompt leaves where there are more than KEPT."""
        self._states[key] = state.copy()
        while len(self._states) > KEPT:
            self._states.popitem(last=False)

    def clear(self) -> None:
        """Free all."""
        self._states.clear()


class MoshiPromptPace:
    """How much of a prompt one step reads. What is read does not depend on it."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.aim = LONG_AIM
        """Seconds that a step should take."""
        self.read = StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE, clock)
        self.heard = StepSize(FIRST_HEARD, 1, MOST_HEARD, clock)


def read_prompt(
    network: MoshiNetwork, codec: Mimi, prompt: MoshiPrompt, pace: MoshiPromptPace
) -> Generator[None, None, MoshiPromptState]:
    """Read a prompt in bounded steps. Returns the state after it. Raises NotFinite."""
    ring = MoshiRing(network.sizes.layers, network.sizes.context)
    frames, before = list[Sequence[int]](), _beginning(network.sizes)
    if prompt.voice is not None:
        yield from _read(network, prompt.voice.inputs, ring, pace)
        before = prompt.voice.last
    elif prompt.recording is not None:
        codes = yield from _encoded(codec, prompt.recording, pace)
        frames += [(PAD, *row, *SINE) for row in codes.tolist()]
    if prompt.pauses:
        quiet = (PAD, *SILENCE, *SINE)
        frames += [*[quiet] * PAUSE, *((token, *SILENCE, *SINE) for token in prompt.role), *[quiet] * PAUSE]
    if prompt.voice is None:
        frames = frames[1:]  # the first frame would be in column 0, which has the tokens of the beginning
    inputs, tokens, forced = columns(np.array(frames, np.int32).reshape(-1, STREAMS), before)
    if len(inputs):
        yield from _read(network, mx.array(inputs), ring, pace)
    state = MoshiPromptState(ring, mx.array(tokens.T), mx.array(forced.T))
    if not state.is_finite():
        raise NotFinite("the reading of a prompt")
    return state


def _beginning(sizes: MoshiSizes) -> Tokens:
    """The first column, and the delayed tokens of the second: [2, STREAMS]."""
    return np.array([[sizes.text_count, *[sizes.code_count] * (STREAMS - 1)]] * 2, np.int32)


def columns(frames: Tokens, before: Tokens) -> tuple[Tokens, Tokens, NDArray[np.bool_]]:
    """Frames [n, STREAMS] behind the columns `before` [2, STREAMS], the second of which has delayed streams only.

    Returns the columns that the network reads [n, STREAMS], the window after them [COLUMNS, STREAMS] and what of it is
    forced.
    """
    count = len(frames)
    laid = np.zeros((count + COLUMNS, STREAMS), np.int32)
    forced = np.zeros((count + COLUMNS, STREAMS), bool)
    laid[0], forced[0] = before[0], True
    laid[1, IS_LATE], forced[1, IS_LATE] = before[1, IS_LATE], True
    laid[1 : count + 1, ~IS_LATE], forced[1 : count + 1, ~IS_LATE] = frames[:, ~IS_LATE], True
    laid[2 : count + 2, IS_LATE], forced[2 : count + 2, IS_LATE] = frames[:, IS_LATE], True
    return laid[:count], laid[count:], forced[count:]


def _read(
    network: MoshiNetwork, inputs: mx.array, ring: MoshiRing, pace: MoshiPromptPace
) -> Generator[None, None, None]:
    """Read inputs [n, dim], or tokens [n, STREAMS]."""
    first = 0
    while first < len(inputs):
        piece = inputs[None, first : first + pace.read.units(pace.aim)]
        with pace.read.timed(pace.aim, piece.shape[1]):
            embedded = network.embed(piece) if mx.issubdtype(piece.dtype, mx.integer) else piece
            network.hear(embedded, [ring])
            mx.eval(ring.arrays())
        first += piece.shape[1]
        yield


def _encoded(codec: Mimi, recording: Samples, pace: MoshiPromptPace) -> Generator[None, None, Tokens]:
    """The codes of a recording [frames, VOICED]; its last frame is filled up with silence. Raises NotFinite."""
    size = codec.sizes.frame
    padded = np.pad(recording, (0, -len(recording) % size)).reshape(-1, 1, size)
    state, found, first = codec.encoding(1), list[mx.array](), 0
    while first < len(padded):
        some = padded[first : first + pace.heard.units(pace.aim)]
        with pace.heard.timed(pace.aim, len(some)):
            for frame in some:
                codes, state = codec.encode(mx.array(frame), state)
                mx.eval(codes, state)
                found.append(codes)
        first += len(some)
        yield
    heard = np.array(mx.concatenate(found)).reshape(-1, VOICED)
    if (heard == NO_CODE).any():
        raise NotFinite(STAGES[NOT_HEARD])
    return heard
