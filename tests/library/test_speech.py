"""`Speech`: every call on a real engine process, and how it ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.scripted_conversation import RATE, SPEECH_RATE, tone, words

from speechmlx import Speech
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation.events import OutputAudio, OutputText, ResponseDone, SpeechStarted, TranscriptDone
from speechmlx.errors import (
    BadAudio,
    BadRequest,
    Busy,
    Draining,
    EngineFailed,
    LicenceNotAccepted,
    UnknownModel,
    UnknownVoice,
)
from speechmlx.library.results import Sound
from speechmlx.types import Chunk, Segment, TextDelta

SECOND = tone(1.0, rate=RATE)
RECORDING = (from_pcm16(SECOND), RATE)
HERE = Path(__file__).parent


def until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_transcript(speech: Speech, tmp_path: Path) -> None:
    path = Sound(*RECORDING).save(tmp_path / "a.flac")
    found = speech.transcribe(path, words=True)
    assert found.text == words(1.0) and found.duration == pytest.approx(1.0, abs=0.01)
    assert [word.text.strip() for word in found.words] == words(1.0).split()
    assert found.save(tmp_path / "a.srt").read_text().startswith("1\n00:00:00,000 --> ")
    assert speech.transcribe(path.read_bytes()).segments == speech.transcribe(RECORDING).segments


def test_segments_come_as_they_are_recognised(speech: Speech) -> None:
    script = "steps=3 work=0.02"
    found = speech.transcribe(RECORDING, model="scripted-asr", prompt=script, language="English", translate=True)
    first = next(iter(found))
    assert isinstance(first, Segment) and first.text == " part 0."
    assert [segment.text for segment in found] == [" part 1.", " part 2."]
    assert (found.language, found.text, found.result.task) == ("en", "part 0. part 1. part 2.", "translate")


def test_speakers(speech: Speech) -> None:
    long = (np.tile(RECORDING[0], 3), RATE)
    found = speech.transcribe(long, model="scripted-asr", diarize=True)
    assert [segment.speaker for segment in found] == ["0", "1", "0"]
    assert [turn.speaker for turn in found.turns] == ["0", "1", "0"]
    assert found.format("rttm").splitlines()[1].endswith("SPEAKER_01 <NA> <NA>")


def test_a_sound(speech: Speech, tmp_path: Path) -> None:
    spoken = speech.speak("One two three.", speed=2)
    assert [chunk.duration for chunk in spoken] == [pytest.approx(0.05)] * 3
    assert spoken.rate == SPEECH_RATE and spoken.duration == pytest.approx(0.15)
    assert spoken.samples.dtype == np.float32 and np.abs(spoken.samples).max() == pytest.approx(0.8, abs=0.01)
    assert spoken.save(tmp_path / "a.mp3").stat().st_size == len(spoken.encode("mp3"))
    assert [(it.text, it.first, it.last) for it in spoken.words] == [("One", 0, 3), ("two", 4, 7), ("three.", 8, 14)]
    assert [time for it in spoken.words for time in (it.start, it.end)] == pytest.approx(
        [0, 0.05, 0.05, 0.1, 0.1, 0.15]
    )
    assert spoken.captions("vtt") == "WEBVTT\n\n00:00:00.000 --> 00:00:00.150\nOne two three.\n"
    with pytest.raises(BadRequest, match="there is no format 'ass' of subtitles; the formats are srt, vtt"):
        spoken.captions("ass")
    assert [(word.first, word.last) for word in speech.speak("\n One.").words] == [(2, 6)]
    assert speech.transcribe(speech.speak("A B C D E.").result).text == words(0.5)


def test_enhancement_is_as_long_as_its_recording(speech: Speech) -> None:
    clean = speech.enhance((from_pcm16(tone(2.5)), SPEECH_RATE))
    assert len(list(clean)) >= 2 and clean.duration == pytest.approx(2.5)


def test_an_answer_of_three_models(speech: Speech) -> None:
    answer = speech.respond((from_pcm16(tone(0.3)), SPEECH_RATE))
    parts = [type(part) for part in answer]
    assert parts[:2] == [Segment, TextDelta] and Chunk in parts
    assert answer.question == words(0.3) and answer.text.startswith(f"You said: {words(0.3)}.")
    assert answer.sound.duration == pytest.approx(0.1 * len(answer.text.split()))


def test_an_answer_of_one_model(speech: Speech) -> None:
    answer = speech.respond(RECORDING, model="talking-s2s", voice="natf2", max_steps=9)
    assert (answer.question, answer.text) == ("", "You asked for 1.0 seconds. That is all.")
    assert answer.sound.rate == SPEECH_RATE and answer.sound.duration == pytest.approx(0.8)


def test_wrong_arguments_are_refused_at_the_call(speech: Speech) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        speech.transcribe("/nowhere.wav")
    with pytest.raises(BadAudio, match="plain text"):
        speech.enhance(b"a text that is no audio")
    with pytest.raises(UnknownModel, match="there is no model 'x'"):
        speech.transcribe(RECORDING, model="x")
    with pytest.raises(BadRequest, match="no text"):
        speech.speak("")
    with pytest.raises(UnknownVoice):
        speech.speak("Hello.", model="kokoro-82m", voice="nobody")
    with pytest.raises(BadRequest, match="no speech was heard"):
        list(speech.respond((np.zeros(RATE, np.float32), RATE)))
    with pytest.raises(EngineFailed, match="scripted to fail"):
        assert speech.transcribe(RECORDING, model="scripted-asr", prompt="fail=1").text


def test_a_licence_that_was_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(LicenceNotAccepted, match="audio-server pull f5-tts"), Speech(tts="f5-tts") as other:
        other.speak("Hello.")


def test_leaving_a_call_ends_its_job(speech: Speech) -> None:
    def jobs() -> int:
        return speech._speech._runtime.status().jobs

    with speech.speak("steps=100000 work=0.001", model="scripted") as spoken:
        assert isinstance(next(iter(spoken)), Chunk) and jobs()
    until(lambda: not jobs())
    assert spoken.duration > 0 and list(spoken) == []
    for _ in speech.speak("steps=100000 work=0.001", model="scripted"):
        break
    gc.collect()
    until(lambda: not jobs())


def test_many_files_at_once(speech: Speech) -> None:
    lengths = [0.1 * number for number in range(1, 9)]
    recordings = [(from_pcm16(tone(seconds, rate=RATE)), RATE) for seconds in lengths]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda recording: speech.transcribe(recording).text, recordings))
    assert found == [words(seconds) for seconds in lengths]


def test_listening(speech: Speech) -> None:
    with speech.listen() as live:
        fed = threading.Thread(target=feed, args=(live, [0.5, -0.7, 0.3, -0.7]))
        fed.start()
        spoken, tails = "", 0
        for hypothesis in live:
            spoken += "".join(word.text for word in hypothesis.committed)
            tails += bool(hypothesis.tail)
        fed.join()
    assert spoken.split() == words(0.5).split() + words(0.3).split() and tails


def feed(live: object, pattern: list[float]) -> None:
    """Feed tone for positive seconds, silence for negative ones, in pieces of 50 ms, then finish."""
    for seconds in pattern:
        pcm16 = tone(abs(seconds), 0.8 if seconds > 0 else 0.0, RATE)
        for start in range(0, len(pcm16), RATE // 10):
            live.feed(pcm16[start : start + RATE // 10], RATE)  # type: ignore[attr-defined]
    live.finish()  # type: ignore[attr-defined]


def test_sessions_are_limited(speech: Speech) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech._speech, "config", Speech(max_sessions=1).config)
        with speech.listen(), pytest.raises(Busy, match="1 live sessions are open"):
            speech.converse().__enter__()
        with speech.converse() as talk:
            assert talk.history == ()


def test_a_conversation(speech: Speech) -> None:
    with speech.converse(instructions="Be brief.") as talk:
        talk.feed(tone(0.5, rate=RATE), RATE)
        talk.feed(tone(1.0, 0.0, RATE), RATE)
        found = []
        for event in talk:
            found.append(event)
            if isinstance(event, ResponseDone):
                break
        history = talk.history
    kinds = [type(event) for event in found]
    assert kinds.index(SpeechStarted) < kinds.index(TranscriptDone) < kinds.index(OutputText)
    heard = "".join(event.text for event in found if isinstance(event, OutputText))
    audio = b"".join(event.audio for event in found if isinstance(event, OutputAudio))
    assert heard.startswith(f"You said: {words(0.5)}.") and talk.rate == 24000
    assert len(audio) / 2 / talk.rate == pytest.approx(0.1 * len(heard.split()), abs=0.2)
    assert [item.role for item in history] == ["user", "assistant"] and history[0].text == words(0.5)


def test_a_person_interrupts_an_answer(speech: Speech) -> None:
    with speech.listen() as live:  # the speech detector is in memory then
        live.feed(SECOND, RATE)
        live.finish()
    with speech.converse(instructions="work=0.05") as talk:
        talk.say("say " + "One. | Two. | " * 100 + "Three.")
        found: list[object] = []
        for event in talk:
            found.append(event)
            if isinstance(event, OutputAudio) and OutputAudio not in map(type, found[:-1]):
                talk.feed(tone(0.3, rate=RATE), RATE)
            if isinstance(event, ResponseDone):
                break
        history = talk.history
    assert SpeechStarted in map(type, found)
    assert isinstance(found[-1], ResponseDone) and found[-1].response.status == "cancelled"
    assert history[1].role == "assistant" and "Three" not in history[1].text


def test_closing_ends_everything() -> None:
    speech = Speech()
    call = speech.speak("steps=100000 work=0.001", model="scripted")
    live = speech.listen()
    live.__enter__()
    pid = speech._speech._runtime.status().pid
    speech.close()
    speech.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(Draining, match="closed"):
        call.result  # noqa: B018
    with pytest.raises(Draining, match="closed"):
        live.feed(SECOND)
    with pytest.raises(Draining, match="closed"):
        speech.transcribe(RECORDING)


PROGRAM = """
import sys
from speechmlx import Speech
spoken = Speech().speak("One two.")
print(spoken.duration, "mlx" in sys.modules, "starlette" in sys.modules)
"""


def test_a_program_that_closes_nothing_ends() -> None:
    began = time.monotonic()
    run = subprocess.run([sys.executable, "-W", "default", "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "0.2 False False\n", "")
    assert time.monotonic() - began < 30


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, speechmlx; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = run.stdout.split()
    assert "speechmlx" in imported and "numpy" not in imported
    assert not [name for name in imported if name.startswith("speechmlx.")]
    with pytest.raises(AttributeError, match="no attribute 'Speach'"):
        __import__("speechmlx").Speach  # noqa: B018
