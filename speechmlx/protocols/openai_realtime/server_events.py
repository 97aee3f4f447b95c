"""Convert the events of a session to messages in either dialect. The functions keep no state."""

from __future__ import annotations

import base64
import math
from typing import Literal

from speechmlx.conversation import events
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.protocols.openai_realtime.items import item_json
from speechmlx.protocols.openai_realtime.schema import BETA_FORMATS, BETA_TEMPERATURE, CODECS, Dialect, Json
from speechmlx.protocols.openai_realtime.sentences import code as openai_code
from speechmlx.protocols.openai_realtime.sentences import sentence

IN_TOKENS = 10
OUT_TOKENS = 20
"""Tokens that OpenAI counts for a second of input audio and of output audio."""
PARAMS = {"no_such_part": "content_index"}
"""The field that an error is about, by the code of the event."""
BETA_TYPES = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "conversation.item.added": "conversation.item.created",
}
"""Beta's message type by GA's. Other types have the same name in both dialects."""
GA_ONLY = ("conversation.item.done", "input_audio_buffer.timeout_triggered")
"""Types of messages that beta clients do not get."""


def messages(event: events.Event, dialect: Dialect, conversation: str) -> list[Json]:
    """The messages of `event` in order, without event ids."""
    ga = _messages(event, dialect, conversation)
    if dialect == "ga":
        return ga
    kept = [message for message in ga if message["type"] not in GA_ONLY]
    return [{**message, "type": BETA_TYPES.get(message["type"], message["type"])} for message in kept]


def _messages(event: events.Event, dialect: Dialect, conversation: str) -> list[Json]:
    """The messages of `event`, with GA's types in both dialects."""
    match event:
        case events.OutputStarted() | events.OutputDone():
            return _output(event, dialect)
        case events.OutputText() | events.OutputAudio() | events.OutputArguments():
            return [_delta(event)]
        case events.ResponseStarted(response):
            return [{"type": "response.created", "response": _response(response, dialect, conversation)}]
        case events.ResponseDone(response):
            done = {"type": "response.done", "response": _response(response, dialect, conversation)}
            return [*_failure(response, dialect), done]
        case events.ItemAdded(item, before, done):
            body = {"previous_item_id": before, "item": item_json(item, dialect)}
            added = {"type": "conversation.item.added", **body}
            return [added, {"type": "conversation.item.done", **body}] if done else [added]
        case events.ItemRetrieved(item):
            return [{"type": "conversation.item.retrieved", "item": item_json(item, dialect, with_audio=True)}]
        case events.ItemDeleted(id):
            return [{"type": "conversation.item.deleted", "item_id": id}]
        case events.ItemTruncated(id, at):
            place = {"item_id": id, "content_index": 0}
            return [{"type": "conversation.item.truncated", **place, "audio_end_ms": _ms(at)}]
        case events.Failed():
            return [_error(event)]
        case events.SpeechPaused() | events.SpeechResumed() | events.Flushed():
            return []  # OpenAI's protocol has no messages for these
        case events.TranscriptDelta() if not event.update.text:
            return []
        case _:
            return [_input(event)]


def _input(event: events.Event) -> Json:
    """The message of an event about the input audio and its transcript."""
    buffer, transcription = "input_audio_buffer", "conversation.item.input_audio_transcription"
    match event:
        case events.SpeechStarted(item, at):
            return {"type": f"{buffer}.speech_started", "item_id": item, "audio_start_ms": _ms(at)}
        case events.SpeechStopped(item, at):
            return {"type": f"{buffer}.speech_stopped", "item_id": item, "audio_end_ms": _ms(at)}
        case events.IdleTimedOut(item, start, end):
            times = {"audio_start_ms": _ms(start), "audio_end_ms": _ms(end)}
            return {"type": f"{buffer}.timeout_triggered", "item_id": item, **times}
        case events.Committed(item, before):
            return {"type": f"{buffer}.committed", "item_id": item, "previous_item_id": before}
        case events.Cleared():
            return {"type": f"{buffer}.cleared"}
        case events.TranscriptDelta(item, update, part):
            return {"type": f"{transcription}.delta", "item_id": item, "content_index": part, "delta": update.text}
        case events.TranscriptDone(item, transcript, seconds, part, with_logprobs):
            usage = {"type": "duration", "seconds": round(seconds, 3)}
            body = {"item_id": item, "content_index": part, "transcript": transcript.text, "usage": usage}
            if transcript.language is not None:
                body["languages"] = [{"code": transcript.language}]
            if with_logprobs:
                body["logprobs"] = [
                    {"token": token.decode(errors="replace"), "bytes": list(token), "logprob": value}
                    for token, value in transcript.logprobs
                ]
            return {"type": f"{transcription}.completed", **body}
        case events.TranscriptFailed(item, error, part):
            body = {"item_id": item, "content_index": part, "error": {**_error_body(error, error.code), "param": None}}
            return {"type": f"{transcription}.failed", **body}
    raise NotImplementedError(f"{type(event).__name__} is on no wire")


# --- responses ---------------------------------------------------------------------------------------------------


def _output(event: events.OutputStarted | events.OutputDone, dialect: Dialect) -> list[Json]:
    """The messages that start or end an output item of a response."""
    item = item_json(event.item, dialect)
    place = {"response_id": event.response, "output_index": event.index}
    in_conversation = [] if event.out_of_band else [{"previous_item_id": event.before, "item": item}]
    if isinstance(event, events.OutputStarted):
        opened = [{"type": "response.output_item.added", **place, "item": item}]
        opened += [{"type": "conversation.item.added", **body} for body in in_conversation]
        return opened + ([] if event.item.kind == "call" else [_part("added", event, "")])
    closed = _call_done(event, dialect) if event.item.kind == "call" else _message_done(event)
    closed += [{"type": "conversation.item.done", **body} for body in in_conversation]
    return [*closed, {"type": "response.output_item.done", **place, "item": item}]


def _message_done(event: events.OutputDone) -> list[Json]:
    """The messages that end the content of a message item."""
    place = _place(event.response, event.item.id, event.index)
    text = event.item.text
    if not event.spoken:
        return [{"type": "response.output_text.done", **place, "text": text}, _part("done", event, text)]
    return [
        {"type": "response.output_audio.done", **place},
        {"type": "response.output_audio_transcript.done", **place, "transcript": text},
        _part("done", event, text),
    ]


def _call_done(event: events.OutputDone, dialect: Dialect) -> list[Json]:
    """The message that ends the arguments of a function call. Only GA has the function's name in it."""
    call = event.item
    name = {"name": call.name} if dialect == "ga" else {}
    body = {"call_id": call.call_id, **name, "arguments": call.arguments}
    place = {"response_id": event.response, "item_id": call.id, "output_index": event.index}
    return [{"type": "response.function_call_arguments.done", **place, **body}]


def _part(change: Literal["added", "done"], event: events.OutputStarted | events.OutputDone, text: str) -> Json:
    """The message that starts or ends a content part."""
    part = {"type": "audio", "transcript": text} if event.spoken else {"type": "text", "text": text}
    place = _place(event.response, event.item.id, event.index)
    return {"type": f"response.content_part.{change}", **place, "part": part}


def _delta(event: events.OutputText | events.OutputAudio | events.OutputArguments) -> Json:
    """The message of a piece of output: text, audio as base64 or arguments of a function call."""
    place = _place(event.response, event.item, event.index)
    match event:
        case events.OutputAudio():
            audio = base64.b64encode(event.audio).decode()
            return {"type": "response.output_audio.delta", **place, "delta": audio}
        case events.OutputText():
            kind = "output_audio_transcript" if event.spoken else "output_text"
            return {"type": f"response.{kind}.delta", **place, "delta": event.text}
        case events.OutputArguments():
            del place["content_index"]
            body = {"call_id": event.call_id, "delta": event.text}
            return {"type": "response.function_call_arguments.delta", **place, **body}


def _place(response: str, item: str, index: int) -> Json:
    """The fields that locate a content part. `index`: the place of the item in its response."""
    return {"response_id": response, "item_id": item, "output_index": index, "content_index": 0}


def _response(response: events.Response, dialect: Dialect, conversation: str) -> Json:
    """The response object in `dialect`."""
    answering = response.answering
    voice, format = answering.voice, answering.voice.format
    kind = next(kind for kind, encoding in CODECS.items() if encoding == format.encoding)
    common = {
        "object": "realtime.response",
        "id": response.id,
        "status": response.status,
        "status_details": _status_details(response),
        "output": [item_json(item, dialect) for item in response.items],
        "conversation_id": None if response.out_of_band else conversation,
        "metadata": dict(response.metadata) or None,
        "usage": _usage(response),
    }
    limit: int | str = "inf" if answering.max_tokens is None else answering.max_tokens
    if dialect == "beta":
        return {
            **common,
            "modalities": ["audio", "text"] if answering.spoken else ["text"],
            "voice": voice.name,
            "output_audio_format": next(word for word, codec in BETA_FORMATS.items() if codec == kind),
            "temperature": BETA_TEMPERATURE if answering.temperature is None else answering.temperature,
            "max_output_tokens": limit,
        }
    output_format = {"type": kind, "rate": format.rate} if kind == "audio/pcm" else {"type": kind}
    return {
        **common,
        "output_modalities": ["audio"] if answering.spoken else ["text"],
        "audio": {"output": {"format": output_format, "voice": voice.name}},
        "max_output_tokens": limit,
    }


def _status_details(response: events.Response) -> Json | None:
    """Why a response failed, was cancelled or is incomplete; None if it is none of these."""
    if response.error is not None:
        return {"type": "failed", "error": _error_body(response.error, response.error.code)}
    if response.status in ("cancelled", "incomplete"):
        return {"type": response.status, "reason": response.reason}
    return None


def _usage(response: events.Response) -> Json | None:
    """The token counts of a response; None if they are unknown."""
    cost = response.cost
    if cost is None:
        return None
    input_audio, output_audio = _tokens(cost.audio_in, IN_TOKENS), _tokens(cost.audio_out, OUT_TOKENS)
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": cost.tokens_in + input_audio + cost.tokens_out + output_audio,
        "input_tokens": cost.tokens_in + input_audio,
        "output_tokens": cost.tokens_out + output_audio,
        "input_token_details": {
            "text_tokens": cost.tokens_in,
            "audio_tokens": input_audio,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": cost.tokens_out, "audio_tokens": output_audio},
    }


def _tokens(seconds: float, rate: int) -> int:
    """Tokens of `seconds` of audio at `rate` tokens a second, rounded up."""
    return math.ceil(round(seconds * rate, 6))  # removes the float error of summed durations


# --- errors ------------------------------------------------------------------------------------------------------


def _error(event: events.Failed) -> Json:
    """The error message of a Failed event."""
    body = _error_body(event.error, event.code)
    param = event.param or PARAMS.get(event.code)
    return {"type": "error", "error": {**body, "param": param, "event_id": event.ref}}


def _failure(response: events.Response, dialect: Dialect) -> list[Json]:
    """The error message of a failed response, only for beta clients.

    Some beta clients read errors only from this message. GA clients read them from response.done, and pipecat stops
    after an error message.
    """
    if response.error is None or dialect == "ga":
        return []
    return [_error(events.Failed(response.error, response.error.code))]


def _error_body(error: SpeechError, code: str) -> Json:
    """OpenAI's type, code and sentence of an error. `code`: the code of the event."""
    kind = "invalid_request_error" if isinstance(error, BadRequest) else "server_error"
    return {"type": kind, "code": openai_code(error, code), "message": sentence(error)}


def _ms(seconds: float) -> int:
    """Milliseconds of `seconds`, rounded."""
    return round(seconds * 1000)


def conversation_created(conversation: str) -> Json:
    """The message that beta clients get after session.created."""
    return {"type": "conversation.created", "conversation": {"id": conversation, "object": "realtime.conversation"}}
