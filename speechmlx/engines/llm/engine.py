"""Answers chats with a language model, several at once: sequences come and go between the steps of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from speechmlx.engines import LONG_AIM, Room
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.llm.chat import Chat, Detokenizer, function_names
from speechmlx.engines.lm.decoder import Decoder
from speechmlx.engines.lm.footprint import STEP, Unlimited, batch_bytes, bytes_per_token
from speechmlx.engines.lm.kv_cache import can_merge, evaluate, new_cache
from speechmlx.engines.lm.prefix_cache import PrefixCache
from speechmlx.engines.lm.sampling import NOT_FINITE, Sampler, new_sampler
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.markup.answer import AnswerParser
from speechmlx.types import Event, Generate, Message, Request, Usage


@dataclass(eq=False)
class Seat:
    """One request: its tokens, and its keys and values while it is in no batch."""

    tokens: list[int]
    """The prompt and the answer so far."""
    prompt: int
    """Number of tokens of the prompt."""
    limit: int
    """Tokens of the answer at most."""
    sampler: Sampler
    decoder: Detokenizer
    answer: AnswerParser
    cache: list[Any] | None
    read: int = 0
    """Number of tokens whose keys and values are computed."""
    ahead: int | None = None
    finished: bool = False

    @property
    def last(self) -> int:
        """Number of tokens after which the answer is cut off."""
        return self.prompt + self.limit


class LanguageModelEngine:
    """Answers `Generate`: `TextDelta`*, `FunctionCall`*, and a `Usage` after the first token and after the last."""

    def __init__(
        self, model: nn.Module, chat: Chat, context: int, chunk: StepSize, max_batch: int, on_gpu: bool = False
    ) -> None:
        """`context`: tokens of prompt and answer together at most. `chunk`: tokens of a prompt read in a step.

        `on_gpu`: launch a token before the last one is read, and compile how it is drawn. A CPU computes small products
        at once, and would have what it compiles built by a C++ compiler.
        """
        self.aim = LONG_AIM
        self.room: Room = Unlimited()
        self.token_bytes = bytes_per_token(model)
        """Bytes of the keys and values of a token."""
        self._open: list[Seat] = []
        self.nbytes = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
        self.max_batch = self.max_open = max_batch if can_merge(new_cache(model)) else 1
        """`max_open` limits memory: each open request holds its keys and values."""
        self._model, self._chat, self._context, self._chunk = model, chat, context, chunk
        self._decoder, self._on_gpu = Decoder[Seat](model, pipelined=on_gpu), on_gpu
        self._prefixes = PrefixCache()

    @property
    def held(self) -> int:
        """Bytes of keys and values: of the open requests at their full length, and those kept for later prompts."""
        return self._batch_bytes() + self._prefixes.tokens * self.token_bytes

    def begin(self, request: Request) -> Seat:
        """Raises BadRequest for settings outside their ranges and for a prompt that leaves no room for an answer.

        Raises Busy where others hold the memory for its keys and values.
        """
        if not isinstance(request, Generate):
            raise Unsupported(f"a language model writes messages; it cannot {type(request).__name__.lower()}")
        if not request.messages:
            raise BadRequest("a chat needs at least one message")
        if request.max_tokens < 1:
            raise BadRequest(f"max_tokens is {request.max_tokens}; allowed is 1 and more")
        settings = request.temperature, request.top_p, request.repetition_penalty, request.seed
        sampler = new_sampler(*settings, compiled=self._on_gpu)
        context = self._context_in(self.room.reachable)
        prompt = self._prompt(request, context)
        if not prompt:
            raise BadRequest("the messages come to no tokens")
        if len(prompt) >= (most := self._context_in(self.room.most)):
            raise BadRequest(self._too_long(len(prompt), most))
        if len(prompt) >= context:
            self._claim(len(prompt) + 1)  # raises Busy
        limit = min(request.max_tokens, context - len(prompt))
        self._claim(len(prompt) + limit)
        cache, read = self._prefixes.find(prompt) or (new_cache(self._model), 0)
        decoder, answer = self._chat.decoder(prompt), AnswerParser(function_names(request.tools))
        seat = Seat(prompt, len(prompt), limit, sampler, decoder, answer, cache, read)
        self._open.append(seat)
        return seat

    def _context_in(self, nbytes: int) -> int:
        """Tokens of prompt and answer, at most, of a single sequence in so many bytes."""
        return min(self._context, max(0, nbytes // self.token_bytes - STEP))

    def _too_long(self, tokens: int, context: int) -> str:
        """What a client is told of a prompt of so many tokens."""
        text = f"the prompt is {tokens} tokens; the model takes {context}, answer included"
        if context == self._context:
            return text
        return (
            f"{text}: its keys and values take {self.token_bytes / 1e6:.3f} MB a token, and its requests may have "
            f"{max(0, self.room.most) / 1e6:.0f} MB (--memory-limit)"
        )

    def _batch_bytes(self, *more: int) -> int:
        """Bytes of the open requests, and of more sequences of so many tokens."""
        return batch_bytes(self.token_bytes, [*(seat.prompt + seat.limit for seat in self._open), *more])

    def _claim(self, tokens: int) -> None:
        """Claim memory for one more sequence. What is kept for later prompts goes first, then idle models."""
        wanted = self._batch_bytes(tokens)
        if wanted - self._batch_bytes() > self.room.free:
            self.forget_prefixes()
        self.room.claim(wanted + self._prefixes.tokens * self.token_bytes)

    def _prompt(self, request: Generate, context: int) -> list[int]:
        """The token ids of the prompt. With `drops_oldest` the oldest messages make room for the answer."""
        room = context - min(request.max_tokens, context // 4)
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
        """Generate a token for each request whose prompt is read, and read a chunk of the shortest other prompt."""
        writing = [seat for seat in states if seat.read == len(seat.tokens) - 1 and not seat.finished]
        reading = [seat for seat in states if seat.read < len(seat.tokens) - 1]
        if not reading:
            events = self._write(writing)
        else:
            shortest = min(reading, key=lambda seat: len(seat.tokens) - seat.read)
            count = min(self._chunk.units(self.aim), len(shortest.tokens) - 1 - shortest.read)
            with self._chunk.timed(self.aim, count):
                self._read(shortest, count)
                events = self._write(writing)
        return [events.get(id(seat), []) for seat in states]

    def end(self, state: Seat) -> None:
        """Frees the request's keys and values, after keeping them for requests that begin with the same tokens."""
        state.finished = True
        self._decoder.remove(state)
        self._prefixes.add(state.tokens[: state.read], state.cache)
        state.cache = None
        self._open.remove(state)

    def forget_prefixes(self) -> None:
        """Free the keys and values that are kept for later prompts."""
        self._prefixes.entries.clear()

    def _read(self, seat: Seat, count: int) -> None:
        """Read `count` tokens of the prompt. Its last one is read with the answer; the logits are never computed."""
        assert seat.cache is not None
        self._model(mx.array([seat.tokens[seat.read : seat.read + count]]), cache=seat.cache)
        evaluate(seat.cache)
        seat.read += count

    def _write(self, seats: Sequence[Seat]) -> dict[int, list[Event | Exception]]:
        """The events of each seat's next token, by the identity of the seat."""
        written = self._decoder.step(seats) if seats else []
        return {id(seat): self._add(seat, token) for seat, token in written}

    def _add(self, seat: Seat, token: int) -> list[Event | Exception]:
        """Append `token` to the sequence. Returns the events that it completes."""
        if token == NOT_FINITE:
            seat.read, seat.finished = 0, True  # none of its keys and values may be used again
            return [NotFinite("the logits of the next token")]
        seat.read += 1
        seat.tokens.append(token)
        written = len(seat.tokens) - seat.prompt
        stops = token in self._chat.stops
        seat.finished = stops or written == seat.limit
        cut_off = seat.finished and not stops
        events: list[Event | Exception] = [] if stops else [*seat.answer.push(seat.decoder.decode(token))]
        if seat.finished:
            events += seat.answer.flush(cut_off)
        if seat.finished or written == 1:
            events.append(Usage(tokens_in=seat.prompt, tokens_out=written, cut_off=cut_off))
        return events


def _without_oldest(messages: Sequence[Message], surplus: float) -> list[Message]:
    """Drop messages from the beginning until `surplus` characters are gone.

    System messages and the last message stay. The results of a call are dropped with it.
    """
    kept = list(messages)
    while surplus > 0:
        first = next((place for place, message in enumerate(kept) if message.role != "system"), len(kept))
        after = first + 1
        while after < len(kept) and kept[after].role == "tool":
            after += 1
        if after >= len(kept):
            break
        surplus -= sum(message.length for message in kept[first:after])
        del kept[first:after]
    return kept
