"""What a session refuses. Each error carries its data, so that a wire can say it in its own sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from speechmlx.errors import BadRequest, Busy, Unsupported

Purpose = Literal["insert_after", "retrieve", "delete", "truncate", "reference"]
"""What an item was looked up for."""


class ItemExists(BadRequest):
    """A second item with the id of another."""

    code = "item_exists"

    def __init__(self, item: str) -> None:
        super().__init__(f"the item {item!r} already exists")
        self.item = item


class NoSuchItem(BadRequest):
    """An item that is not in the conversation."""

    code = "no_such_item"

    def __init__(self, item: str, purpose: Purpose) -> None:
        super().__init__(f"there is no item {item!r} ({purpose})")
        self.item = item
        self.purpose = purpose


class ConversationFull(BadRequest):
    """One item more than a conversation may hold, in number or in text."""

    code = "conversation_full"

    def __init__(self, items: int, characters: int) -> None:
        super().__init__(
            f"a conversation holds at most {items} items and {characters >> 20} Mi characters of text; delete some"
        )


class NoSuchPart(BadRequest):
    """A part of an item beyond its last one, which has the index `last`."""

    code = "no_such_part"

    def __init__(self, item: str, part: int, last: int) -> None:
        super().__init__(f"the item {item!r} has no part {part}; its last is {last}")
        self.item = item
        self.part = part
        self.last = last


class NotSpoken(BadRequest):
    """An item that is no spoken answer, and cannot be truncated."""

    code = "not_spoken"

    def __init__(self) -> None:
        super().__init__("only spoken answers can be truncated")


class TooShort(BadRequest):
    """A commit of (nearly) nothing: of `buffered` seconds, where `shortest` are needed."""

    code = "too_short"

    def __init__(self, buffered: float, shortest: float) -> None:
        super().__init__(f"{buffered:.3f} s of audio wait; at least {shortest:g} s can be committed")
        self.buffered = buffered
        self.shortest = shortest


class ResponseActive(BadRequest):
    """A second response of the conversation while the one called `response` is under way."""

    code = "active_response"

    def __init__(self, response: str) -> None:
        super().__init__(f"the response {response!r} is under way")
        self.response = response


class NoActiveResponse(BadRequest):
    """Nothing to cancel."""

    code = "no_active_response"

    def __init__(self) -> None:
        super().__init__("no response is under way")


class TooManyResponses(Busy):
    """More out-of-band responses at once than `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} responses outside the conversation run already")


class TranscribesOnly(Unsupported):
    """An answer was asked of a session that only transcribes."""

    code = "transcribes_only"

    def __init__(self) -> None:
        super().__init__("a transcription session gives no responses")


class AnswersByItself(Unsupported):
    """A turn, an item or an answer was asked of a model that hears and speaks at once."""

    code = "answers_by_itself"

    def __init__(self) -> None:
        super().__init__(
            "this model hears and speaks at once: it takes sound, and answers when it likes; it takes no commits (but "
            "where transcription is on), no items and no requests for answers"
        )


class ModelIsChosen(BadRequest):
    """Another model was asked for in a conversation whose model, `model`, was chosen when it began."""

    code = "model_is_chosen"

    def __init__(self, model: str) -> None:
        super().__init__(f"this conversation is with {model}, from its beginning to its end; begin another one")


class NotTaken(Unsupported):
    """Settings that a model which hears and speaks at once does not take; the others count."""

    code = "not_taken"

    def __init__(self, options: Sequence[str]) -> None:
        super().__init__(f"this model hears and speaks at once, and goes on without {', '.join(options)}")


class ModelBehind(Busy):
    """A model that hears and speaks at once is `seconds` behind."""

    code = "model_behind"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the model is {seconds:.1f} s behind: it is loaded, waits for its turn, or takes longer for a frame than "
            "that sounds; no audio is dropped"
        )
