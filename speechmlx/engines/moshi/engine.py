"""Speech to speech: answers recordings, and takes part in live conversations, several at once."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from speechmlx.audio.resample import resample
from speechmlx.engines import Room
from speechmlx.engines.finite import NotFinite, finite
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.moshi.conversation import AskedMoshi, LiveMoshi, MoshiBeginning, MoshiConversation
from speechmlx.engines.moshi.frame import STAGES, MoshiFrames
from speechmlx.engines.moshi.loudness import brought_to, loudness
from speechmlx.engines.moshi.prompt import MoshiPrompt, MoshiPromptPace, MoshiPromptStates, MoshiVoice, read_prompt
from speechmlx.engines.moshi.ring import STEP
from speechmlx.engines.moshi.text import MoshiTokenizer, MoshiWriting
from speechmlx.engines.parts.mimi import RATE, StackedRows
from speechmlx.errors import BadAudio, BadRequest, UnknownVoice, Unsupported
from speechmlx.types import (
    Command,
    Converse,
    End,
    Event,
    Feed,
    NamedVoice,
    ReferenceVoice,
    Request,
    Respond,
    Voice,
)

if TYPE_CHECKING:
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

MAX_BATCH = 4
"""Conversations that step together. Weights are read once for all of them; Metal is unmeasured."""
REFERENCE = (1.0, 30.0)
"""Seconds of a recording whose voice is imitated, at least and at most."""
REFERENCE_LUFS = -24.0
"""The loudness of the voices in training."""
LONGEST_PROMPT = 0.5
"""Of the context: the rest is for the conversation."""
ROLE = "You are a friendly assistant. You listen closely and answer in a few clear sentences."
"""The role where a request gives none, for a model that takes one."""

Happened = dict[int, list[Event | Exception]]
"""Events of each conversation, by its identity."""


class MoshiEngine:
    """Answers `Respond` and `Converse`. `Batched` and `BatchedStreaming`, `Seated`, `Claiming` and `Paced`."""

    max_batch = max_open = MAX_BATCH

    def __init__(
        self, step: MoshiFrames, tokenizer: MoshiTokenizer, voices: Mapping[str, MoshiVoice], takes_roles: bool
    ) -> None:
        """`takes_roles`: it was trained to take a voice and a role."""
        self.room: Room = Unlimited()
        self._step, self._tokenizer = step, tokenizer
        self._voices, self._takes_roles = voices, takes_roles
        self._open: list[MoshiConversation] = []
        self._rows, self._prompts, self._pace = StackedRows(), MoshiPromptStates(), MoshiPromptPace()
        modules = (step.network, step.codec)
        self.nbytes = sum(array.nbytes for one in modules for _, array in tree_flatten(one.parameters()))
        self.nbytes += sum(voice.inputs.nbytes for voice in voices.values())
        self._codec_bytes = sum(array.nbytes for array in (*step.codec.encoding(1), *step.codec.decoding(1)))
        sizes = step.network.sizes
        width = step.network.out_norm.weight.dtype.size
        self.frame_bytes = 2 * sizes.layers * sizes.dim * width
        """Bytes of the keys and values of a frame."""

    @property
    def aim(self) -> float:
        """Seconds that a step should take; what a frame takes is not in it."""
        return self._pace.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self._pace.aim = seconds

    @property
    def held(self) -> int:
        """Bytes of the open conversations at their full length, and of the prompts kept."""
        return sum(one.nbytes for one in self._open) + self._prompts.nbytes

    # --- Requests ----------------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> MoshiConversation:
        """Raises Unsupported and BadRequest for what the model cannot do, and Busy where there is no memory."""
        if not isinstance(request, Respond | Converse):
            raise Unsupported(f"a speech-to-speech model answers speech; it cannot {type(request).__name__.lower()}")
        if request.language and request.language.lower().replace("_", "-").split("-")[0] != "en":
            raise Unsupported(f"this model speaks English; it cannot speak {request.language!r}")
        prompt = self._prompt(request.voice, request.instructions)
        size, context = self._step.codec.sizes.frame, self._step.network.sizes.context
        read = prompt.frames(size)
        if read > LONGEST_PROMPT * context:
            raise BadRequest(
                f"the voice and the instructions take {read} frames; allowed is {int(LONGEST_PROMPT * context)}, "
                "a frame for each token of the instructions"
            )
        key = (_voice_key(request.voice), request.instructions)
        conversation: MoshiConversation
        if isinstance(request, Respond):
            question = self._question(request)
            beginning = self._beginning(prompt, key, read + -(-len(question) // size) + request.max_steps)
            conversation = AskedMoshi(beginning, question, request.max_steps, request.audio.duration)
        else:
            conversation = LiveMoshi(self._beginning(prompt, key, context))
        self._open.append(conversation)
        return conversation

    def _beginning(self, prompt: MoshiPrompt, key: object, frames: int) -> MoshiBeginning:
        """Of a conversation that comes to `frames` in all; claims its memory."""
        return MoshiBeginning(
            reading=read_prompt(self._step.network, self._step.codec, prompt, self._pace),
            key=key,
            writing=MoshiWriting(self._tokenizer),
            frames=frames,
            nbytes=self._claim(frames),
            size=self._step.codec.sizes.frame,
            rate=RATE,
        )

    def _question(self, request: Respond) -> Samples:
        """Its samples at the model's rate."""
        audio = request.audio
        if request.max_steps < 1:
            raise BadRequest(f"max_steps is {request.max_steps}; allowed is 1 and more")
        if not len(audio.samples):
            raise BadAudio("the recording has no samples")
        return audio.samples if audio.rate == RATE else resample(audio.samples, audio.rate, RATE)

    def _claim(self, frames: int) -> int:
        """Claim the memory of a conversation of so many frames. Returns it, in bytes."""
        context = self._step.network.sizes.context
        nbytes = self._codec_bytes + self.frame_bytes * min(context, -(-frames // STEP) * STEP)
        if nbytes > self.room.most:
            raise BadRequest(
                f"a conversation of {min(frames, context)} frames takes {nbytes / 1e6:.0f} MB, and this model's may "
                f"have {max(0, self.room.most) / 1e6:.0f} MB (--memory-limit)"
            )
        if nbytes > self.room.free:
            self._prompts.clear()
        self.room.claim(self.held + nbytes)
        return nbytes

    def _prompt(self, voice: Voice | None, instructions: str | None) -> MoshiPrompt:
        """Raises Unsupported, UnknownVoice and BadAudio."""
        if not self._takes_roles:
            if voice is not None:
                raise Unsupported("this model has one voice, which cannot be chosen; leave out the voice")
            if instructions:
                raise Unsupported("this model takes no instructions; leave them out")
            return MoshiPrompt()
        role = self._tokenizer.role(ROLE if instructions is None else instructions)
        if isinstance(voice, ReferenceVoice):
            return MoshiPrompt(recording=_imitable(voice), role=role, pauses=True)
        return MoshiPrompt(self._saved(voice), role=role, pauses=True)

    def _saved(self, voice: NamedVoice | None) -> MoshiVoice | None:
        """The voice of that name; without one the first."""
        if voice is None:
            return next(iter(self._voices.values()), None)
        if voice.name not in self._voices:
            raise UnknownVoice(f"no voice {voice.name!r:.100}; the voices are {', '.join(self._voices) or 'none'}")
        return self._voices[voice.name]

    def feed(self, state: MoshiConversation, command: Command) -> None:
        """Raises Unsupported for text."""
        assert isinstance(state, LiveMoshi)
        if isinstance(command, Feed):
            state.listen(command.samples)
        elif isinstance(command, End):
            state.end_input()
        else:
            raise Unsupported("a conversation takes sound, not text")

    def end(self, state: MoshiConversation) -> None:
        """Free its keys and values and its row."""
        state.finished = True
        state.reading, state.ring = None, None
        if isinstance(state, LiveMoshi) and state.late:
            log.warning("a live conversation fell behind: %s", state.late)
        self._rows.drop(state)
        self._open.remove(state)

    # --- Steps -------------------------------------------------------------------------------------------------------

    def step(self, states: Sequence[MoshiConversation]) -> Sequence[Sequence[Event | Exception]]:
        """A piece of one prompt, and a frame of the conversations whose prompts are read."""
        happened: Happened = {id(state): [] for state in states}
        if reading := next((state for state in states if state.reading is not None), None):
            self._read(reading, happened)
        ready = [state for state in states if state.reading is None and not state.finished]
        if ready:
            self._frame(ready, happened)
        for state in ready:
            if isinstance(state, LiveMoshi):
                happened[id(state)] += state.closing()
        return [happened[id(state)] for state in states]

    def _read(self, state: MoshiConversation, happened: Happened) -> None:
        """Read a piece of a prompt, or take it from those that were read before."""
        found = self._prompts.find(state.key)
        assert state.reading is not None
        if found is None:
            try:
                next(state.reading)
                return
            except StopIteration as done:
                found = done.value
            except NotFinite as error:
                state.finished = True
                happened[id(state)].append(error)
                return
            self._prompts.keep(state.key, found)
        state.read(found)
        self._rows.add(state, self._step.start(found.tokens, found.forced, int.from_bytes(os.urandom(8))))

    def _frame(self, ready: Sequence[MoshiConversation], happened: Happened) -> None:
        """A frame of each that has one. A model without a prompt has no frame of its own in its first step."""
        sounds = self._has_sound(ready[0])
        heard = [
            (state, frame)
            for state in ready
            if self._has_sound(state) == sounds and (frame := state.next_frame()) is not None
        ]
        if not heard:
            return
        start, stepping = time.perf_counter(), [state for state, _ in heard]
        rings = [state.ring for state in stepping if state.ring is not None]
        samples = mx.array(np.stack([frame for _, frame in heard]))
        sound, text, after = self._step(samples, self._rows.take(stepping), rings, sounds)
        mx.eval(sound, text, after, [ring.arrays() for ring in rings])
        self._rows.put(after)
        for state in stepping:
            state.took(time.perf_counter() - start)
        for state, frame, token in zip(stepping, np.array(sound), np.array(text).tolist(), strict=True):
            happened[id(state)] += _told(state, frame if sounds else None, token)

    @staticmethod
    def _has_sound(state: MoshiConversation) -> bool:
        """Whether the model has a whole frame of its own in the next step."""
        return state.ring is not None and state.ring.end > 0


def _told(state: MoshiConversation, frame: Samples | None, token: int) -> list[Event | Exception]:
    """The events of a conversation's frame; an error where it holds no finite numbers."""
    try:
        if token in STAGES:
            raise NotFinite(STAGES[token])
        return [*state.told(None if frame is None else finite(frame, "the codec's decoder"), token)]
    except NotFinite as error:
        state.finished = True
        return [error]


def _voice_key(voice: Voice | None) -> object:
    """The same for the same voice."""
    if isinstance(voice, ReferenceVoice):
        return "recording", voice.id
    return None if voice is None else ("name", voice.name)


def _imitable(voice: ReferenceVoice) -> Samples:
    """Its samples at the model's rate and the loudness of its training. Raises BadAudio."""
    least, most = REFERENCE
    if not least <= voice.audio.duration <= most:
        raise BadAudio(
            f"the voice's recording is {voice.audio.duration:.1f} s long; allowed is {least:g} s to {most:g} s"
        )
    samples, rate = voice.audio.samples, voice.audio.rate
    if loudness(samples, rate) == -np.inf:
        raise BadAudio("the voice's recording is silent")
    return brought_to(samples if rate == RATE else resample(samples, rate, RATE), RATE, REFERENCE_LUFS)
