"""A session's events → messages in either dialect; a table of functions, none of which keeps anything."""

from __future__ import annotations

import base64
import math

from speechmlx.conversation import events as say
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.protocols.openai_realtime.items import written
from speechmlx.protocols.openai_realtime.schema import BETA_FORMATS, BETA_TEMPERATURE, CODECS, Dialect, Json
from speechmlx.protocols.openai_realtime.sentences import code as openai_code
from speechmlx.protocols.openai_realtime.sentences import sentence

IN_TOKENS = 10
OUT_TOKENS = 20
"""Tokens that OpenAI counts for a second of audio, in and out."""
PARAMS = {"no_such_part": "content_index"}
"""The field that a neutral code is about."""
BETA_NAMES = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "conversation.item.added": "conversation.item.created",
}
GA_ONLY = ("conversation.item.done", "input_audio_buffer.timeout_triggered")


def messages(event: say.Event, dialect: Dialect, conversation: str) -> list[Json]:
    """What `event` is on the wire, in order; without event ids."""
    found = _messages(event, dialect, conversation)
    if dialect == "ga":
        return found
    kept = [message for message in found if message["type"] not in GA_ONLY]
    return [{**message, "type": BETA_NAMES.get(message["type"], message["type"])} for message in kept]


def _messages(event: say.Event, dialect: Dialect, conversation: str) -> list[Json]:
    match event:
        case say.OutputStarted() | say.OutputDone():
            return _output(event, dialect)
        case say.OutputText() | say.OutputAudio() | say.OutputArguments():
            return [_delta(event)]
        case say.ResponseStarted(response):
            return [{"type": "response.created", "response": _response(response, dialect, conversation)}]
        case say.ResponseDone(response):
            done = {"type": "response.done", "response": _response(response, dialect, conversation)}
            return [*_failure(response, dialect), done]
        case say.ItemAdded(item, before, done):
            body = {"previous_item_id": before, "item": written(item, dialect)}
            added = {"type": "conversation.item.added", **body}
            return [added, {"type": "conversation.item.done", **body}] if done else [added]
        case say.ItemRetrieved(item):
            return [{"type": "conversation.item.retrieved", "item": written(item, dialect, with_audio=True)}]
        case say.ItemDeleted(id):
            return [{"type": "conversation.item.deleted", "item_id": id}]
        case say.ItemTruncated(id, at):
            place = {"item_id": id, "content_index": 0}
            return [{"type": "conversation.item.truncated", **place, "audio_end_ms": _ms(at)}]
        case say.Failed():
            return [_error(event)]
        case say.SpeechPaused() | say.SpeechResumed() | say.Flushed():
            return []  # OpenAI's clients have no word for these
        case say.TranscriptDelta() if not event.update.text:
            return []
        case _:
            return [_input(event)]


def _input(event: say.Event) -> Json:
    """What became of the audio in the buffer."""
    buffer, transcription = "input_audio_buffer", "conversation.item.input_audio_transcription"
    match event:
        case say.SpeechStarted(item, at):
            return {"type": f"{buffer}.speech_started", "item_id": item, "audio_start_ms": _ms(at)}
        case say.SpeechStopped(item, at):
            return {"type": f"{buffer}.speech_stopped", "item_id": item, "audio_end_ms": _ms(at)}
        case say.IdleTimedOut(item, start, end):
            times = {"audio_start_ms": _ms(start), "audio_end_ms": _ms(end)}
            return {"type": f"{buffer}.timeout_triggered", "item_id": item, **times}
        case say.Committed(item, before):
            return {"type": f"{buffer}.committed", "item_id": item, "previous_item_id": before}
        case say.Cleared():
            return {"type": f"{buffer}.cleared"}
        case say.TranscriptDelta(item, update, part):
            return {"type": f"{transcription}.delta", "item_id": item, "content_index": part, "delta": update.text}
        case say.TranscriptDone(item, transcript, seconds, part, with_logprobs):
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
        case say.TranscriptFailed(item, error, part):
            body = {"item_id": item, "content_index": part, "error": {**_described(error, error.code), "param": None}}
            return {"type": f"{transcription}.failed", **body}
    raise NotImplementedError(f"{type(event).__name__} is on no wire")


# --- responses ---------------------------------------------------------------------------------------------------


def _output(event: say.OutputStarted | say.OutputDone, dialect: Dialect) -> list[Json]:
    """The brackets around an item of a response."""
    item = written(event.item, dialect)
    place = {"response_id": event.response, "output_index": event.index}
    in_conversation = [] if event.out_of_band else [{"previous_item_id": event.before, "item": item}]
    if isinstance(event, say.OutputStarted):
        opened = [{"type": "response.output_item.added", **place, "item": item}]
        opened += [{"type": "conversation.item.added", **body} for body in in_conversation]
        return opened + ([] if event.item.kind == "call" else [_part("added", event, "")])
    closed = _call_done(event, dialect) if event.item.kind == "call" else _message_done(event)
    closed += [{"type": "conversation.item.done", **body} for body in in_conversation]
    return [*closed, {"type": "response.output_item.done", **place, "item": item}]


def _message_done(event: say.OutputDone) -> list[Json]:
    place = _place(event.response, event.item.id, event.index)
    text = event.item.text
    if not event.spoken:
        return [{"type": "response.output_text.done", **place, "text": text}, _part("done", event, text)]
    return [
        {"type": "response.output_audio.done", **place},
        {"type": "response.output_audio_transcript.done", **place, "transcript": text},
        _part("done", event, text),
    ]


def _call_done(event: say.OutputDone, dialect: Dialect) -> list[Json]:
    call = event.item
    named = {"name": call.name} if dialect == "ga" else {}
    body = {"call_id": call.call_id, **named, "arguments": call.arguments}
    place = {"response_id": event.response, "item_id": call.id, "output_index": event.index}
    return [{"type": "response.function_call_arguments.done", **place, **body}]


def _part(what: str, event: say.OutputStarted | say.OutputDone, text: str) -> Json:
    part = {"type": "audio", "transcript": text} if event.spoken else {"type": "text", "text": text}
    place = _place(event.response, event.item.id, event.index)
    return {"type": f"response.content_part.{what}", **place, "part": part}


def _delta(event: say.OutputText | say.OutputAudio | say.OutputArguments) -> Json:
    place = _place(event.response, event.item, event.index)
    match event:
        case say.OutputAudio():
            audio = base64.b64encode(event.audio).decode()
            return {"type": "response.output_audio.delta", **place, "delta": audio}
        case say.OutputText():
            kind = "output_audio_transcript" if event.spoken else "output_text"
            return {"type": f"response.{kind}.delta", **place, "delta": event.text}
        case say.OutputArguments():
            del place["content_index"]
            body = {"call_id": event.call_id, "delta": event.text}
            return {"type": "response.function_call_arguments.delta", **place, **body}


def _place(response: str, item: str, index: int) -> Json:
    return {"response_id": response, "item_id": item, "output_index": index, "content_index": 0}


def _response(response: say.Response, dialect: Dialect, conversation: str) -> Json:
    how = response.answering
    voice, format = how.voice, how.voice.format
    kind = next(kind for kind, encoding in CODECS.items() if encoding == format.encoding)
    common = {
        "object": "realtime.response",
        "id": response.id,
        "status": response.status,
        "status_details": _status_details(response),
        "output": [written(item, dialect) for item in response.items],
        "conversation_id": None if response.out_of_band else conversation,
        "metadata": dict(response.metadata) or None,
        "usage": _usage(response),
    }
    limit: int | str = "inf" if how.max_tokens is None else how.max_tokens
    if dialect == "beta":
        return {
            **common,
            "modalities": ["audio", "text"] if how.spoken else ["text"],
            "voice": voice.name,
            "output_audio_format": next(word for word, codec in BETA_FORMATS.items() if codec == kind),
            "temperature": BETA_TEMPERATURE if how.temperature is None else how.temperature,
            "max_output_tokens": limit,
        }
    shown = {"type": kind, "rate": format.rate} if kind == "audio/pcm" else {"type": kind}
    return {
        **common,
        "output_modalities": ["audio"] if how.spoken else ["text"],
        "audio": {"output": {"format": shown, "voice": voice.name}},
        "max_output_tokens": limit,
    }


def _status_details(response: say.Response) -> Json | None:
    if response.error is not None:
        return {"type": "failed", "error": _described(response.error, response.error.code)}
    if response.status in ("cancelled", "incomplete"):
        return {"type": response.status, "reason": response.reason}
    return None


def _usage(response: say.Response) -> Json | None:
    cost = response.cost
    if cost is None:
        return None
    heard, said = _tokens(cost.audio_in, IN_TOKENS), _tokens(cost.audio_out, OUT_TOKENS)
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": cost.tokens_in + heard + cost.tokens_out + said,
        "input_tokens": cost.tokens_in + heard,
        "output_tokens": cost.tokens_out + said,
        "input_token_details": {
            "text_tokens": cost.tokens_in,
            "audio_tokens": heard,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": cost.tokens_out, "audio_tokens": said},
    }


def _tokens(seconds: float, rate: int) -> int:
    return math.ceil(round(seconds * rate, 6))  # seconds are a sum of many


# --- errors ------------------------------------------------------------------------------------------------------


def _error(event: say.Failed) -> Json:
    described = _described(event.error, event.code)
    param = event.param or PARAMS.get(event.code)
    return {"type": "error", "error": {**described, "param": param, "event_id": event.ref}}


def _failure(response: say.Response, dialect: Dialect) -> list[Json]:
    """A response that failed is an error too for beta's clients, some of which look at nothing else.

    GA's have it in response.done, and pipecat hears nothing more after an error.
    """
    if response.error is None or dialect == "ga":
        return []
    return [_error(say.Failed(response.error, response.error.code))]


def _described(error: SpeechError, code: str) -> Json:
    kind = "invalid_request_error" if isinstance(error, BadRequest) else "server_error"
    return {"type": kind, "code": openai_code(error, code), "message": sentence(error)}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def conversation_created(conversation: str) -> Json:
    """What beta clients are told after session.created."""
    return {"type": "conversation.created", "conversation": {"id": conversation, "object": "realtime.conversation"}}
