"""Everything that can go wrong, as one tree. Each error has a neutral `code`; each wire maps codes to its own.

SpeechError
├── BadRequest            bad_request         the client asked for something that cannot be
│   ├── BadAudio          bad_audio           bytes that are not audio we can decode
│   ├── TooLarge          too_large           over a configured limit
│   ├── TooSlow           too_slow            an upload that takes too long
│   ├── UnknownJob        unknown_job         no such background job, or not this client's
│   ├── JobUnfinished     job_unfinished      a background job without a result
│   ├── UnknownModel      unknown_model       no such model, or not of this kind
│   ├── UnknownVoice      unknown_voice       the model has no such voice
│   ├── UnknownRecording  unknown_recording   no such stored voice or consent
│   ├── UnknownSession    unknown_session     no such live session is kept for this client; begin a new one
│   ├── Unsupported       unsupported         the model cannot do this (language, option)
│   └── LicenceNotAccepted licence_not_accepted  the owner of the machine has not accepted the model's licence
├── Unavailable           unavailable         the server cannot now
│   ├── Busy              busy                full; `retry_after` seconds
│   │   └── RateLimited   rate_limited        this client is over a limit of its own; `retry_after` seconds
│   ├── Draining          draining            shutting down
│   ├── NoRoom            no_room             a disk is full, or cannot be written; says which folder
│   ├── OutOfMemory       no_memory           the engine process got no memory; says how much it holds
│   └── ModelUnavailable  model_unavailable   weights could not be fetched; says why and the way out
│       └── WeightsDamaged weights_damaged    weights that cannot be right; they are fetched again
└── EngineFailed          engine_failed       an engine raised; the log has the traceback
    └── EngineLost        engine_lost         the engine process ended while the job ran, or does not come up
"""

from __future__ import annotations

from typing import ClassVar


class SpeechError(Exception):
    """Base of all; `str(error)` is a sentence for the client: what was wrong, and what is allowed."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class BadRequest(SpeechError):
    code = "bad_request"


class BadAudio(BadRequest):
    code = "bad_audio"


class TooLarge(BadRequest):
    code = "too_large"


class TooSlow(BadRequest):
    code = "too_slow"


class UnknownJob(BadRequest):
    code = "unknown_job"


class JobUnfinished(BadRequest):
    code = "job_unfinished"


class UnknownModel(BadRequest):
    code = "unknown_model"


class UnknownVoice(BadRequest):
    code = "unknown_voice"


class UnknownRecording(BadRequest):
    code = "unknown_recording"


class UnknownSession(BadRequest):
    code = "unknown_session"


class Unsupported(BadRequest):
    code = "unsupported"


class LicenceNotAccepted(BadRequest):
    code = "licence_not_accepted"


class Unavailable(SpeechError):
    code = "unavailable"


class Busy(Unavailable):
    code = "busy"


class RateLimited(Busy):
    code = "rate_limited"


class Draining(Unavailable):
    code = "draining"


class NoRoom(Unavailable):
    code = "no_room"


class ModelUnavailable(Unavailable):
    code = "model_unavailable"


class WeightsDamaged(ModelUnavailable):
    code = "weights_damaged"


class OutOfMemory(Unavailable):
    code = "no_memory"


class EngineFailed(SpeechError):
    code = "engine_failed"


class EngineLost(EngineFailed):
    code = "engine_lost"

    def __init__(self, message: str, *, retry_after: float | None = None, ran: bool = True) -> None:
        super().__init__(message, retry_after=retry_after)
        self.ran = ran
        """False where the job waited for a process that did not come up: the job cannot be what ended it."""


class TemporaryFailure(Exception):
    """The server cannot start, or go on, and may when it is started again. `str` of it is a sentence for its owner.

    No client is told of it, so it is not in the tree.
    """


def _tree(root: type[SpeechError]) -> dict[str, type[SpeechError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_CODE = _tree(SpeechError)


def from_code(code: str, message: str, retry_after: float | None = None) -> SpeechError:
    """The error that crossed a pipe as plain values."""
    return BY_CODE.get(code, EngineFailed)(message, retry_after=retry_after)
