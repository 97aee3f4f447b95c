"""Answers that are over but may not have been played to their ends: what will have been heard of them, and when."""

from __future__ import annotations

from speechmlx.conversation.items.history import History
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.conversation.response.response import ActiveResponse


class PlaybackQueue:
    """In the order in which they are played, one after the other."""

    def __init__(self) -> None:
        self._answers: list[ActiveResponse] = []

    @property
    def until(self) -> tuple[float, float]:
        """When the last will have been played, by the person's audio and by the clock."""
        return self._answers[-1].played_until if self._answers else (0.0, 0.0)

    def add(self, answer: ActiveResponse) -> None:
        """One that is over; of one that was cut off is known what was heard."""
        self._answers = [one for one in self._answers if one.played < one.playout.duration]
        if answer.heard is None:
            self._answers.append(answer)

    def known(self, playout: PlayoutTimeline) -> None:
        """The client said what was heard of this one."""
        self._answers = [one for one in self._answers if one.playout is not playout]

    def stop(self, history: History) -> None:
        """Somebody speaks: `history` keeps what was heard of the one that is played, and nothing of those after it."""
        silenced = False
        for answer in self._answers:
            played = answer.played
            if silenced or 0 < played < answer.playout.duration:
                silenced = True
                for item in [item for item in history if item.playout is answer.playout]:
                    history.truncate(item.id, max(played, 0.0))
        self._answers = []
