"""POST /v1/listen: a whole recording is transcribed, each channel by itself if the client wants it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from starlette.responses import JSONResponse, Response

from speechmlx.audio.decode import count_channels
from speechmlx.conversation.engines import Engines, has_default
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.jobs.background_job import JobHook
from speechmlx.jobs.journal import expect
from speechmlx.protocols.deepgram.connection import resolved
from speechmlx.protocols.deepgram.listen_options import MAX_CHANNELS, ListenOptions
from speechmlx.protocols.deepgram.results import ListenRequest, metadata
from speechmlx.protocols.deepgram.utterances import paragraphs, utterances, with_speakers
from speechmlx.protocols.deepgram.words import WordSpelling, alternative, rounded
from speechmlx.protocols.http.background import in_job
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.request_body import spool
from speechmlx.protocols.http.request_id import request_id
from speechmlx.protocols.http.routing import Handler, RequestContext
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.http.url_fetch import check_url
from speechmlx.recognition import RecognitionResult, Submitter, recognise_all
from speechmlx.types import Audio, Kind, SpeakerOptions, Word

NO_AUDIO = 'the body must be a recording, or JSON with the address of one: {"url": "https://..."}'
URLS_ARE_OFF = (
    "asking other addresses is off, so that nobody can use this server to reach others; start it with --allow-url-fetch"
)
MAX_JSON = 64 * 1024
"""Bytes of a body that is read as JSON where its content type does not say so."""
METHODS = ("POST", "PUT")
"""Methods of callbacks."""
BLOCK = 1 << 20
"""Bytes that are hashed at a time."""


@dataclass(frozen=True)
class DecodedRecording:
    """One recording as it was sent, decoded. `channels`: one Audio for each channel, or one mix of all."""

    sha256: str
    channels: tuple[Audio, ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return max(audio.duration for audio in self.channels)


async def prerecorded(context: RequestContext, handler: Handler) -> Response:
    """Transcribe a recording as Deepgram's API does (body: the recording, or JSON: url; query: as for live speech)

    With a callback it becomes a background job, which runs with `handler`, the route's, and sends its result there.
    """
    query, jobs = context.request.query_params, context.services.jobs
    options, model = resolved(context.services.names, query)
    check(options, context.runtime, options.callback is None or jobs.sends_to(options.callback))
    id = request_id(context.request.scope)
    if options.callback is not None and not in_job():
        await _check_body(context)
        hook = JobHook(url=options.callback, method=options.callback_method, sends_result=True)
        await jobs.accept(context, handler, hook)
        return _with_id({"request_id": id}, id)
    recording = await decode(context, await _recording(context), model.rate, options)
    request = ListenRequest(id=id, model=model, extra=options.extra, tag=options.tag)
    return _with_id(await transcribe(context.runtime, request, recording, options), id)


def check(options: ListenOptions, engines: Engines, fetches: bool) -> None:
    """Raises BadRequest for what this server does not do, before any work. `fetches`: it asks other addresses."""
    if options.diarize and not has_default(engines, Kind.DIARIZE):
        raise Unsupported("'diarize' needs a diarization model, and none is configured: leave it out")
    if options.callback is not None:
        if not fetches:
            raise BadRequest(f"'callback': {URLS_ARE_OFF}")
        if options.callback_method not in METHODS:
            raise BadRequest(
                f"'callback_method' must be one of {', '.join(METHODS)}, not {options.callback_method!r:.80}"
            )
        check_url(options.callback, "callback")


# --- The recording -----------------------------------------------------------------------------------------------


async def _recording(context: RequestContext) -> BinaryIO:
    """The recording as it was sent, or what is at the address that was sent. Raises BadRequest and TooLarge."""
    body, url = await _check_body(context)
    if url is None:
        return body
    file = spool(context.stack)
    await context.services.fetches.fetch(url, file, context.services.config.max_audio_bytes)
    return file


async def _check_body(context: RequestContext) -> tuple[BinaryIO, str | None]:
    """The body, and the address in it if it is no recording. Raises BadRequest."""
    body = context.body.upload
    if body is None:
        raise BadRequest(NO_AUDIO)
    url = await asyncio.to_thread(read_url, body, context.request.headers.get("content-type", ""))
    if url is not None and not context.services.config.allow_url_fetch:
        raise BadRequest(f"'url': {URLS_ARE_OFF}, or send the recording itself")
    return body, url


def read_url(body: BinaryIO, kind: str) -> str | None:
    """The address in a body of content type `kind`; None for a recording. Raises BadRequest for other JSON."""
    is_json = "json" in kind.lower()
    text = body.read(MAX_JSON + 1)
    body.seek(0)
    if not is_json and (len(text) > MAX_JSON or not text.lstrip().startswith(b"{")):
        return None
    try:
        fields = read_json(text)
    except (ValueError, RecursionError) as error:
        if not is_json:
            return None
        raise BadRequest(f"{NO_AUDIO}; it is not valid JSON: {error}") from error
    url = fields.get("url") if isinstance(fields, dict) else None
    if not isinstance(url, str) or not url.strip():
        raise BadRequest(f"{NO_AUDIO}; the JSON has no 'url'")
    return url.strip()


async def decode(context: RequestContext, file: BinaryIO, rate: int, options: ListenOptions) -> DecodedRecording:
    """Decode a recording to `rate` Hz. Raises BadAudio, TooLarge, Busy, and BadRequest for too many channels."""
    decoding = context.services.decoding
    raw = None if options.format.encoding == "container" else options.format
    sha256 = await decoding.run(digest, file)
    numbers: Sequence[int | None] = (None,)
    if options.multichannel:
        count = await decoding.run(count_channels, file, raw)
        if count > MAX_CHANNELS:
            raise BadRequest(f"the audio has {count} channels; with 'multichannel' at most {MAX_CHANNELS}")
        numbers = range(count or 1)
    channels = [await decoding.decode(file, rate, context.stack, raw=raw, channel=number) for number in numbers]
    return DecodedRecording(sha256, tuple(channels))


def digest(file: BinaryIO) -> str:
    """The SHA-256 of a file, in hex."""
    found = hashlib.sha256()
    file.seek(0)
    while block := file.read(BLOCK):
        found.update(block)
    return found.hexdigest()


# --- The answer --------------------------------------------------------------------------------------------------


async def transcribe(
    runtime: Submitter, request: ListenRequest, recording: DecodedRecording, options: ListenOptions
) -> dict[str, Any]:
    """Deepgram's answer for a recording. Raises the SpeechError that a job failed with."""
    form = TranscriptionForm(
        language=options.language, languages=options.languages, hotwords=options.keywords, words=True
    )
    speakers = SpeakerOptions() if options.diarize else None
    expect(len(recording.channels))
    asked = [form.request(request.model, audio) for audio in recording.channels]
    found = [await recognise_all(runtime, one, speakers, lenient=True) for one in asked]
    return answer(found, request, recording, options)


def answer(
    found: Sequence[RecognitionResult], request: ListenRequest, recording: DecodedRecording, options: ListenOptions
) -> dict[str, Any]:
    """The answer to what was recognised in each channel."""
    spelling = WordSpelling.of(options)
    words = [with_speakers(result.words) for result in found]
    channels = [_channel(result, own, spelling, options) for result, own in zip(found, words, strict=True)]
    results: dict[str, Any] = {"channels": channels}
    if options.utterances:
        spoken = [
            utterance
            for number, own in enumerate(words)
            for utterance in utterances(spelling.words(own), spelling, number, options.utt_split)
        ]
        results["utterances"] = sorted(spoken, key=lambda utterance: utterance["start"])
    return {"metadata": metadata(request, recording.duration, len(found), recording.sha256), "results": results}


def _channel(
    result: RecognitionResult, words: Sequence[Word], spelling: WordSpelling, options: ListenOptions
) -> dict[str, Any]:
    detects = options.language is None
    code = result.spoken_language if detects and not options.detects_language else None
    only = alternative(words, spelling, code)
    if options.paragraphs:
        only["paragraphs"] = paragraphs(spelling.words(words), spelling)
    channel: dict[str, Any] = {"alternatives": [only]}
    if options.detects_language and result.language is not None:
        channel["detected_language"] = result.language.language
        channel["language_confidence"] = rounded(result.language.probability)
    return channel


def _with_id(content: dict[str, Any], id: str) -> Response:
    return JSONResponse(content, headers={"dg-request-id": id})
