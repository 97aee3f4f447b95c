"""What the talker reads before the first frame, and the text that it reads beside the frames.

An input row is the sum of a text row and of a codec row. Three layouts exist: the whole text before the first frame;
"dual", with one text token beside each frame; and after a recording, whose text and frames come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.qwen3_tts.shape import QwenTtsConfig
from speechmlx.engines.qwen3_tts.text import Encode, TextPart

NONE = -1
"""In the place of a code: no codec row."""


@dataclass
class Prompt:
    """The input rows of one part of a text."""

    text: list[int]
    """The text token of each row."""
    codes: list[int]
    """The code of each row, of the first group; NONE for none."""
    speaker: tuple[int, mx.array] | None = None
    """A row and the vector [hidden] of a voice that is added to it."""
    frames: tuple[int, NDArray[np.int32]] | None = None
    """A row and the frames [groups, n] of a recording that are added to it and those behind it."""
    taken: int = 0
    """How many tokens of the part's line are in these rows."""
    shared: int = 0
    """How many of the first rows are those of every text in the voice of this recording; never all."""

    def __len__(self) -> int:
        return len(self.text)

    def add(self, text: Sequence[int], codes: Sequence[int]) -> None:
        self.text += text
        self.codes += codes


@dataclass(frozen=True)
class PromptVoice:
    """Who speaks: a voice of the model by its code, or a recording; neither where the instructions say it."""

    code: int | None = None
    vector: mx.array | None = None
    """[hidden], of a recording."""
    frames: NDArray[np.int32] | None = None
    """[groups, n], of a recording whose text is known."""
    text: tuple[int, ...] = ()
    """Tokens of the recording's text."""


class PromptWriter:
    """Makes the prompts of one request."""

    def __init__(
        self,
        config: QwenTtsConfig,
        encode: Encode,
        voice: PromptVoice,
        *,
        language: int | None = None,
        instructions: str = "",
        dual: bool = False,
    ) -> None:
        """`language`: its code; None: the text decides. `dual`: text beside the frames."""
        self._config, self._voice, self._dual = config, voice, dual
        marks = config.text
        self._role = [marks.im_start, *encode("assistant\n")]
        self._before = list[int]()
        if instructions:
            self._before = [marks.im_start, *encode("user\n"), *encode(instructions), marks.im_end, *encode("\n")]
        codec = config.codec
        self._head = [codec.nothink, codec.think_bos, codec.think_eos]
        if language is not None:
            self._head = [codec.think, codec.think_bos, language, codec.think_eos]

    def is_ready(self, part: TextPart) -> bool:
        """Whether enough of a part is written for its prompt."""
        return part.ended or (self._dual and self.line(part, self._beside_frames - 1) is not None)

    @property
    def _beside_frames(self) -> int:
        """Text tokens of a prompt whose text goes on beside the frames: one for the beginning and each frame known."""
        return 1 + (0 if self._voice.frames is None else self._voice.frames.shape[1])

    def length(self, tokens: int) -> int:
        """Rows, at most, of the prompt of a part with so many tokens."""
        frames = 0 if self._voice.frames is None else self._voice.frames.shape[1]
        fixed = len(self._before) + len(self._role) + len(self._head) + 5
        return fixed + len(self._voice.text) + tokens + frames

    def line(self, part: TextPart, place: int) -> int | None:
        """The text token at `place` of a part's line: recording's text, text, end, and padding for ever.

        None where it is not written yet.
        """
        own = place - len(self._voice.text)
        if own < 0:
            return self._voice.text[place]
        if own < len(part.tokens):
            return part.tokens[own]
        if not part.ended:
            return None
        return self._config.text.eos if own == len(part.tokens) else self._config.text.pad

    def is_text(self, token: int) -> bool:
        """Whether a token of a line is neither its end nor padding."""
        return token not in (self._config.text.eos, self._config.text.pad)

    def write(self, part: TextPart) -> Prompt:
        """The prompt of `part`, which `is_ready`."""
        marks, codec = self._config.text, self._config.codec
        prompt = Prompt([*self._before, *self._role], [NONE] * (len(self._before) + len(self._role)))
        head = list(self._head)
        if self._voice.vector is not None:
            prompt.speaker = len(prompt) + len(head), self._voice.vector
            head.append(NONE)
        elif self._voice.code is not None:
            head.append(self._voice.code)
        prompt.add([marks.pad] * len(head) + [marks.bos], [*head, codec.pad])
        if self._dual:
            self._beside(prompt, part)
        else:
            self._whole(prompt, part)
        return prompt

    def _whole(self, prompt: Prompt, part: TextPart) -> None:
        """All text, then the recording's frames."""
        marks, codec = self._config.text, self._config.codec
        line = [*self._voice.text, *part.tokens, marks.eos]
        prompt.add(line, [codec.pad] * len(line))
        prompt.taken = len(line)
        prompt.add([marks.pad], [codec.bos])
        if (frames := self._voice.frames) is not None:
            prompt.frames = len(prompt), frames
            prompt.add([marks.pad] * frames.shape[1], [NONE] * frames.shape[1])

    def _beside(self, prompt: Prompt, part: TextPart) -> None:
        """The first text token, and one more beside each frame of the recording."""
        frames, count = self._voice.frames, self._beside_frames
        line = [self.line(part, place) for place in range(count)]
        assert None not in line
        if frames is not None:
            prompt.frames = len(prompt) + 1, frames
            prompt.shared = len(prompt) + min(len(self._voice.text), count - 1)
        prompt.add([token for token in line if token is not None], [self._config.codec.bos] + [NONE] * (count - 1))
        prompt.taken = count
