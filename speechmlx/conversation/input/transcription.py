"""The transcript of a turn, in one part or more, each word with its speaker where the settings ask for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING

from speechmlx.conversation.input.speakers import SpeakerAttribution, SpeakerTracker
from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import OnUpdate, Transcript, joined, no_update
from speechmlx.conversation.input.turn_part import TurnPart
from speechmlx.types import Audio, Priority

if TYPE_CHECKING:
    from speechmlx.types import Samples


class TurnTranscription:
    """The transcript of one turn, which begins `start` seconds into the session.

    `feed` takes its audio as it comes: only then can its words come live. `finish` takes the whole audio and gives the
    transcript. `flush` ends a part of it early. `on_update` gets the words as they are known. `priority` is that of
    the live stream. With `speakers`, words name their speaker and come when it is known.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        on_update: OnUpdate = no_update,
        start: float = 0.0,
        priority: Priority = Priority.REALTIME,
        speakers: SpeakerTracker | None = None,
    ) -> None:
        self.start = start
        self._transcriber = transcriber
        self._attribution = None if speakers is None else SpeakerAttribution(speakers, on_update)
        self._on_update = on_update if self._attribution is None else self._attribution.update
        self._priority = priority
        self._flushed: list[asyncio.Task[Transcript]] = []
        self._part = TurnPart(transcriber, self._on_update, start, priority)

    @property
    def part_start(self) -> float:
        """Where the audio begins that `guess` and `flush` take: seconds into the session."""
        return self._part.start

    @property
    def transcribed(self) -> float:
        """Up to where live recognition has taken the audio: seconds into the session."""
        return self._part.transcribed

    @property
    def is_guessing(self) -> bool:
        """Whether the turn may be over, and is being recognised as if it were."""
        return self._part.is_guessing

    def feed(self, samples: Samples) -> None:
        """The next audio of the turn, at RATE. Never waits."""
        self._part.feed(samples)

    def guess(self, audio: Audio, answers: bool) -> Awaitable[Transcript] | None:
        """The turn may end with `audio`: its transcript if it does. `finish` uses it.

        None: it is not worth recognising now, as nothing `answers` or the turn is long.
        """
        return self._part.guess(audio, answers) if not self._flushed else None

    def resume(self) -> None:
        """The turn goes on: drop the guess."""
        self._part.resume()

    async def flush(self, audio: Audio) -> None:
        """Commit every word of `audio`, which is what came since `part_start`; then go on. Raises SpeechErrors."""
        part = self._part
        self._part = TurnPart(self._transcriber, self._on_update, part.start + audio.duration, self._priority)
        self._part.continues = True
        self._flushed.append(asyncio.create_task(part.finish(audio)))
        await asyncio.shield(self._flushed[-1])
        if self._attribution is not None:
            await self._attribution.settle()

    async def finish(self, audio: Audio) -> Transcript:
        """The turn was `audio`: its transcript. Raises SpeechErrors. Call `cancel` when this has ended."""
        parts = [await task for task in self._flushed]
        rest = audio.samples[round((self._part.start - self.start) * audio.rate) :]
        parts.append(await self._part.finish(Audio(rest, audio.rate)))
        transcript = joined(parts)
        if self._attribution is not None:
            await self._attribution.settle()
            transcript = replace(transcript, words=self._attribution.attributed(transcript.words))
        return transcript

    def cancel(self) -> None:
        """Stop: nobody needs more of its words."""
        for task in self._flushed:
            task.cancel()
        self._part.cancel()
        if self._attribution is not None:
            self._attribution.close()
