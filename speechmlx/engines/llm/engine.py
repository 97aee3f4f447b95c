"""Chats answered by a language model, several at once: sequences come and go between the steps of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from speechmlx.engines.llm.chat import Chat, TextDecoder, function_names
from speechmlx.engines.llm.checkpoint import beginning, new_cache
from speechmlx.engines.llm.sampling import Sampler, draw, sampler
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.markup.answer import AnswerParser
from speechmlx.types import Event, Generate, Message, Request, Usage

KEPT = 4096
"""Tokens of earlier requests whose keys and values are kept."""
SHARED = 8
"""Tokens that two requests begin with, at least, for the second to go on from the first."""


@dataclass(eq=False)
class Seat:
    """One request: its prompt and what follows, and its keys and values while it is in no batch."""

    tokens: list[int]
    prompt: int
    limit: int
    """Tokens to write at most."""
    sampler: Sampler
    decoder: TextDecoder
    answer: AnswerParser
    cache: list[Any] | None
    read: int = 0
    """Tokens that are in the cache."""
    finished: bool = False


@dataclass(frozen=True)
class Kept:
    """What was read for a request that is over, with its keys and values: another may begin with the same."""

    tokens: list[int]
    cache: list[Any]

    def shared(self, prompt: Sequence[int]) -> int:
        """How many of the first tokens of `prompt` it holds, all but the last at most."""
        most = min(len(self.tokens), len(prompt) - 1)
        return next((i for i in range(most) if self.tokens[i] != prompt[i]), most)


@dataclass
class Batch:
    """The seats that were stepped last, and their keys and values as one."""

    seats: list[Seat] = field(default_factory=list)
    cache: list[Any] = field(default_factory=list)

    def seat(self, wanted: Sequence[Seat]) -> None:
        """Make it hold `wanted`, and put its order in that of `wanted` as far as both hold them."""
        self.leave([seat for seat in self.seats if seat not in wanted])
        joining = [seat for seat in wanted if seat not in self.seats]
        if joining:
            caches = [seat.cache for seat in joining if seat.cache is not None]
            merged = [layer[0].merge(list(layer)) for layer in zip(*caches, strict=True)]
            for mine, other in zip(self.cache, merged, strict=bool(self.cache)):
                mine.extend(other)
            self.cache = self.cache or merged
            for seat in joining:
                seat.cache = None
            self.seats.extend(joining)

    def leave(self, seats: Sequence[Seat]) -> None:
        """Those that leave take their keys and values with them."""
        leaving = [i for i, seat in enumerate(self.seats) if seat in seats]
        for i in leaving:
            self.seats[i].cache = [layer.extract(i) for layer in self.cache]
        if leaving:
            staying = [i for i in range(len(self.seats)) if i not in leaving]
            self.seats = [self.seats[i] for i in staying]
            for layer in self.cache if staying else ():
                layer.filter(staying)
            self.cache = self.cache if staying else []


class Engine:
    """Answers `Generate`: `TextDelta`*, `FunctionCall`*, and a `Usage` after the first token and after the last."""

    def __init__(self, model: nn.Module, chat: Chat, context: int, chunk: int, max_batch: int) -> None:
        """`context` is the most tokens of prompt and answer together, `chunk` the most of a prompt read in a step."""
        self.nbytes = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
        mergeable = all(hasattr(layer, "merge") for layer in new_cache(model))
        self.max_batch = self.max_open = max_batch if mergeable else 1  # a seat holds its keys and values
        self._model, self._chat, self._context, self._chunk = model, chat, context, chunk
        self._batch = Batch()
        self._kept: list[Kept] = []

    def begin(self, request: Request) -> Seat:
        if not isinstance(request, Generate):
            raise Unsupported(f"a language model writes messages; it cannot {type(request).__name__.lower()}")
        if not request.messages:
            raise BadRequest("a chat needs at least one message")
        if request.max_tokens < 1:
            raise BadRequest(f"max_tokens is {request.max_tokens}; allowed is 1 and more")
        draws = sampler(request)
        prompt = self._prompt(request)
        if not prompt:
            raise BadRequest("the messages come to no tokens")
        if len(prompt) >= self._context:
            raise BadRequest(f"the prompt is {len(prompt)} tokens; the model takes {self._context}, answer included")
        limit = min(request.max_tokens, self._context - len(prompt))
        cache, read = self._begun(prompt)
        decoder, answer = self._chat.decoder(prompt), AnswerParser(function_names(request.tools))
        return Seat(prompt, len(prompt), limit, draws, decoder, answer, cache, read)

    def _begun(self, prompt: list[int]) -> tuple[list[Any], int]:
        """A cache that holds as much of the prompt's beginning as an earlier request's does, and how much."""
        kept = max(self._kept, key=lambda one: one.shared(prompt), default=None)
        shared = kept.shared(prompt) if kept else 0
        cache = beginning(kept.cache, shared) if kept and shared >= SHARED else None
        return (cache, shared) if cache is not None else (new_cache(self._model), 0)

    def _prompt(self, request: Generate) -> list[int]:
        """Of a chat that leaves no room for the answer, without the oldest messages, if the request says so."""
        room = self._context - min(request.max_tokens, self._context // 4)
        messages = list(request.messages)
        prompt = self._chat.encode(messages, request.tools)
        while request.drops_oldest and len(prompt) > room:
            surplus = (1 - room / len(prompt)) * sum(message.length for message in messages)
            shorter = _without_oldest(messages, surplus)
            if len(shorter) == len(messages):
                break
            messages, prompt = shorter, self._chat.encode(shorter, request.tools)
        return prompt

    def step(self, states: Sequence[Seat]) -> Sequence[Sequence[Event | Exception]]:
        """A token for each state whose prompt is read, and the next chunk of one prompt that is not."""
        writing = [seat for seat in states if seat.read == len(seat.tokens) - 1 and not seat.finished]
        reading = [seat for seat in states if seat.read < len(seat.tokens) - 1]
        if reading:
            self._read(min(reading, key=lambda seat: len(seat.tokens) - seat.read))
        if writing:
            self._batch.seat(writing)
            events = dict(zip(map(id, self._batch.seats), self._write(self._batch.seats), strict=True))
        else:
            events = {}
        return [events.get(id(seat), []) for seat in states]

    def end(self, state: Seat) -> None:
        state.finished = True
        self._batch.leave([state])
        self._keep(state)
        state.cache = None

    def _keep(self, seat: Seat) -> None:
        """In the place of what it goes on from, and of the oldest beyond KEPT tokens."""
        tokens = seat.tokens[: seat.read]
        cache = beginning(seat.cache, len(tokens)) if seat.cache and SHARED <= len(tokens) <= KEPT else None
        if cache is None:
            return
        mx.eval([layer.state for layer in cache])
        self._kept = [one for one in self._kept if one.shared([*tokens, 0]) < len(one.tokens)]
        self._kept.append(Kept(tokens, cache))
        while sum(len(one.tokens) for one in self._kept) > KEPT:
            del self._kept[0]

    def _read(self, seat: Seat) -> None:
        """The next chunk of the prompt into the cache, all but its last token. The logits are never computed."""
        assert seat.cache is not None
        chunk = seat.tokens[seat.read : min(seat.read + self._chunk, len(seat.tokens) - 1)]
        self._model(mx.array([chunk]), cache=seat.cache)
        mx.eval([layer.state for layer in seat.cache])
        seat.read += len(chunk)

    def _write(self, seats: Sequence[Seat]) -> list[list[Event]]:
        """One more token for each."""
        last = mx.array([seat.tokens[-1:] for seat in seats])
        logits = self._model(last, cache=self._batch.cache)[:, -1]
        chosen = draw(logits.astype(mx.float32), [seat.sampler for seat in seats], [seat.tokens for seat in seats])
        mx.eval(chosen, [layer.state for layer in self._batch.cache])
        return [self._add(seat, int(token)) for seat, token in zip(seats, np.array(chosen), strict=True)]

    def _add(self, seat: Seat, token: int) -> list[Event]:
        """Append `token` to the sequence. Returns the events that it completes."""
        seat.read += 1
        seat.tokens.append(token)
        written = len(seat.tokens) - seat.prompt
        stops = token in self._chat.stops
        seat.finished = stops or written == seat.limit
        cut_off = seat.finished and not stops
        events: list[Event] = [] if stops else [*seat.answer.push(seat.decoder.decode(token))]
        if seat.finished:
            events += seat.answer.flush(cut_off)
        if seat.finished or written == 1:
            events.append(Usage(tokens_in=seat.prompt, tokens_out=written, cut_off=cut_off))
        return events


def _without_oldest(messages: Sequence[Message], surplus: float) -> list[Message]:
    """Without the first messages that are no instructions, `surplus` characters or more; what was said last stays."""
    kept = list(messages)
    while surplus > 0:
        first = next((place for place, message in enumerate(kept) if message.role != "system"), len(kept))
        after = first + 1
        while after < len(kept) and kept[after].role == "tool":  # what a call returned goes with it
            after += 1
        if after >= len(kept):
            break
        surplus -= sum(message.length for message in kept[first:after])
        del kept[first:after]
    return kept
