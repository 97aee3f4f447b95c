"""What the tests of OpenAI's audio API share: a text, a recording, and a call of the transcription."""

from __future__ import annotations

from typing import Any

import numpy as np
import openai
import pytest

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

TEXT = "The quick brown fox jumps over the lazy dog."
TONE = to_pcm16((0.5 * np.sin(np.arange(48000) / 10)).astype(np.float32))
WAV = wav_header(16000, 48000) + TONE


def hear(client: openai.OpenAI, script: str = "steps=2", **options: Any) -> Any:
    return client.audio.transcriptions.create(model="scripted-asr", file=("a.wav", WAV), prompt=script, **options)
