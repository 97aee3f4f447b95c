"""OpenAI's codes and sentences for the errors of a session."""

from __future__ import annotations

from speechmlx.conversation.errors import (
    ItemExists,
    NoActiveResponse,
    NoSuchItem,
    NoSuchPart,
    NotSpoken,
    ResponseActive,
    TooShort,
)
from speechmlx.errors import SpeechError

CODES = {
    "item_exists": "item_create_duplicate_item_id",
    "not_spoken": "unsupported_content_type",
    "no_such_part": "invalid_value",
    "too_short": "input_audio_buffer_commit_empty",
    "active_response": "conversation_already_has_active_response",
    "no_active_response": "response_cancel_not_active",
    "transcribes_only": "invalid_session_type",
    "model_unavailable": "model_load_error",
    "sessions": "session_limit_reached",
}
"""OpenAI's code by the code of the event. Other codes are sent unchanged."""
ITEM_CODES = {
    "insert_after": "item_create_invalid_previous_item_id",
    "delete": "item_delete_invalid_item_id",
    "retrieve": "item_retrieve_invalid_item_id",
    "truncate": "item_truncate_invalid_item_id",
    "reference": "item_reference_invalid_item_id",
}
"""Code of NoSuchItem by the purpose of the lookup."""
ITEM_ACTIONS = {
    "insert_after": "adding item: the previous item",
    "delete": "deleting item: the item",
    "retrieve": "retrieving item: the item",
    "truncate": "truncating item: the item",
    "reference": "retrieving item: the item",
}
"""Start of the sentence of NoSuchItem by the purpose of the lookup."""


def code(error: SpeechError, event_code: str) -> str:
    """OpenAI's code for `error`. `event_code`: the code in the session's event."""
    return ITEM_CODES[error.purpose] if isinstance(error, NoSuchItem) else CODES.get(event_code, event_code)


def sentence(error: SpeechError) -> str:
    """OpenAI's sentence for `error`; the error's own message if OpenAI has none."""
    match error:
        case ItemExists():
            return f"Error adding item: the item with id '{error.item}' already exists."
        case NoSuchItem():
            return f"Error {ITEM_ACTIONS[error.purpose]} with id '{error.item}' does not exist."
        case NoSuchPart():
            parts = f"only 0 to {error.last}" if error.last else "only 0"
            return f"Error truncating item: the item with id '{error.item}' has no content part {error.part}, {parts}"
        case NotSpoken():
            return "Only model output audio messages can be truncated"
        case TooShort():
            return (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{error.shortest * 1000:.0f}ms of audio, but buffer only has {error.buffered * 1000:.2f}ms of audio."
            )
        case ResponseActive():
            return (
                f"Conversation already has an active response in progress: {error.response}. Wait until the response "
                "is finished before creating a new one."
            )
        case NoActiveResponse():
            return "Cancellation failed: no active response found"
    return error.message
