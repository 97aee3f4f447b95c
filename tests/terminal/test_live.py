"""listen, talk, run and bench in a terminal, with a recording or a stub of PortAudio as the microphone."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pexpect
import pytest
import soundfile
from protocols.conftest import Server
from support.scripted_conversation import LOUD, tone, words
from terminal.conftest import TESTS, Run, Terminal, on_screen

Record = Callable[..., Path]
STUB = os.pathsep.join([str(TESTS / "support/portaudio_stub"), str(TESTS)])
ANSWER = "Answer: You said: {}. Well, that is what I heard."


@pytest.fixture
def devices(tmp_path: Path) -> dict[str, str]:
    """Variables with which the command has a microphone, that hears half a second of speech, and a loudspeaker."""
    return {
        "PYTHONPATH": STUB,
        "MICROPHONE": str(tmp_path / "microphone.pcm"),
        "LOUDSPEAKER": str(tmp_path / "loudspeaker.pcm"),
    }


def sounding(file: Path) -> int:
    """How many samples of a PCM16 file are not silence."""
    return int(np.count_nonzero(np.frombuffer(file.read_bytes(), "<i2")))


def test_the_microphone_is_written_and_ctrl_c_flushes(
    terminal: Terminal, devices: dict[str, str], spoken_server: Server
) -> None:
    Path(devices["MICROPHONE"]).write_bytes(tone(60.0, rate=16000))
    child = terminal("listen", "--server", spoken_server.url, **devices)
    written = child.logfile_read = io.StringIO()
    child.expect("Listening. Ctrl-C ends.")
    child.expect("three")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    told = on_screen(written.getvalue())
    heard = told.partition("ends.\n")[2].split()
    assert child.exitstatus == 0 and len(heard) >= 3 and heard == words(60.0).split()[: len(heard)], told


def test_a_recording_in_place_of_the_microphone(run: Run, record: Record, spoken_server: Server) -> None:
    record("a.wav", 0.5, -1.7, 0.3, -0.7)
    done = run("listen", "--file", "a.wav")
    lines = [line for line in done.text.splitlines() if line]
    assert (done.code, lines[-2:]) == (0, [words(0.5), words(0.3)])
    done = run("listen", "--file", "a.wav", "--json", "--language", "en", "--server", spoken_server.url)
    found = [json.loads(line) for line in done.text.splitlines()]
    final = [word for hypothesis in found for word in hypothesis["final"]]
    assert [word["word"] for word in final] == words(0.5).split() + words(0.3).split()
    assert final[0]["start"] == pytest.approx(0, abs=0.1) and final[5]["start"] == pytest.approx(2.2, abs=0.1)
    assert any(hypothesis["unsure"] for hypothesis in found)


@pytest.mark.parametrize("headphones", [False, True])
def test_a_conversation_with_microphone_and_loudspeaker(
    terminal: Terminal, devices: dict[str, str], spoken_server: Server, headphones: bool
) -> None:
    """The second question comes while the answer to the first is played: it counts with headphones alone."""
    question = tone(0.3, 0.0) + tone(0.5) + tone(1.4, 0.0) + tone(0.3) + tone(10.0, 0.0)
    Path(devices["MICROPHONE"]).write_bytes(question)
    flags = ["--headphones"] if headphones else []
    child = terminal("talk", "--server", spoken_server.url, *flags, **devices)
    child.expect("Speak. Ctrl-C ends.")
    child.expect(f"You: {words(0.5)}\r\n")
    child.expect(ANSWER.format(words(0.5)))
    if headphones:
        child.expect(f"You: {words(0.3)}\r\n")
        child.expect(ANSWER.format(words(0.3)))
    else:
        child.expect("I am here.")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and f"You: {words(0.3)}" not in (child.before or "")
    played = np.abs(np.frombuffer(Path(devices["LOUDSPEAKER"]).read_bytes(), "<i2") / 32768)
    assert played.max() > LOUD


def test_a_conversation_with_a_recording(run: Run, record: Record, spoken_server: Server, tmp_path: Path) -> None:
    record("ask.wav", 0.5, -1.0, 0.3)
    done = run("talk", "--file", "ask.wav", "-o", "answers.wav", "--instructions", "Be brief.")
    asked, answered = ([line for line in done.text.splitlines() if line.startswith(who)] for who in ("You", "Answer"))
    assert done.code == 0 and asked == [f"You: {words(0.5)}", f"You: {words(0.3)}"]
    assert answered[1].startswith(ANSWER.format(words(0.3)))
    assert soundfile.info(tmp_path / "answers.wav").duration > 3
    done = run("talk", "--file", "ask.wav", "-o", "answers.mp3", "--json", "--server", spoken_server.url)
    found = [json.loads(line) for line in done.text.splitlines()]
    assert done.code == 0 and [line["you"] for line in found if "you" in line] == [words(0.5), words(0.3)]
    assert [line["status"] for line in found if "answer" in line] == ["completed", "completed"]


def test_speech_is_played(run: Run, devices: dict[str, str], spoken_server: Server) -> None:
    done = run("run", "talking-tts", "One two three.", "--server", spoken_server.url, **devices)
    played = np.frombuffer(Path(devices["LOUDSPEAKER"]).read_bytes(), "<i2")
    assert (done.code, done.text) == (0, "") and len(played) / 24000 > 0.3
    assert played[played != 0].tobytes()[:100] == tone(0.1)[2:102]


def test_lines_that_are_typed_are_spoken_one_by_one(
    terminal: Terminal, devices: dict[str, str], spoken_server: Server
) -> None:
    child = terminal("run", "talking-tts", "--server", spoken_server.url, **devices)
    loudspeaker = Path(devices["LOUDSPEAKER"])
    for count in (1, 2):
        child.sendline("One two three.")
        while (
            not loudspeaker.exists() or np.count_nonzero(np.frombuffer(loudspeaker.read_bytes(), "<i2")) < 7000 * count
        ):
            assert child.isalive()
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_what_a_model_does(run: Run, record: Record, spoken_server: Server) -> None:
    record("a.wav", 0.3)
    server = ("--server", spoken_server.url)
    assert run("run", "talking-live", "a.wav", *server).text == f"{words(0.3)}\n"
    done = run("run", "talking-vad")
    assert done.code == 2 and "talking-vad is a vad model, which works inside of the others" in done.text
    done = run("run", "talking-llm", "Hello.")
    assert done.code == 2 and "audio-server run talking-llm, which converses and takes no input" in done.text


def test_measurements(run: Run, tmp_path: Path) -> None:
    done = run("bench", "--sessions", "1", "--output", "rows.json")
    row = json.loads((tmp_path / "rows.json").read_text())
    assert done.code == 0 and f"first sound {row['answer']['first_sound_s']} s after the end of speech" in done.text
    assert len(row["answer"]["all_s"]) == 3 and min(row["answer"]["all_s"]) > 0
    assert {"talking-live", "talking-llm", "talking-tts"} <= set(row["models"])
    assert row["sessions"]["held"] in (0, 1) and row["speak"]["work_per_second"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["listen", "--file", "nowhere.wav"], 2, "nowhere.wav cannot be read"),
        (["talk", "-o", "a.doc"], 2, "the name 'a.doc' tells no format"),
        (["run", "nothing"], 2, "there is no model 'nothing'"),
        (["bench", "--server", "http://127.0.0.1:1"], 1, "no audio-server answers at http://127.0.0.1:1"),
        (["listen", "--help"], 0, "Ctrl-C ends it, after the last words."),
        (["talk", "--help"], 0, "Speech interrupts an answer."),
        (["run", "--help"], 0, "A recogniser transcribes recordings, or listens to the microphone."),
        (["bench", "--help"], 0, "Takes two minutes."),
    ],
)
def test_help_and_errors(run: Run, arguments: list[str], code: int, says: str) -> None:
    done = run(*arguments)
    assert done.code == code and says in " ".join(done.text.split()) and "Traceback" not in done.text


def test_without_portaudio(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    path = os.pathsep.join([str(tmp_path), str(TESTS)])
    for verb in (["listen"], ["talk"], ["speak", "Hi."]):
        done = run(*verb, PYTHONPATH=path)
        assert done.code == 1 and "PortAudio was not found" in done.text and "Traceback" not in done.text
