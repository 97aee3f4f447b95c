"""transcribe, enhance, respond and speak in a terminal: files in, text and files out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import psutil
import pytest
import soundfile
from protocols.conftest import Server
from support.scripted_conversation import words
from terminal.conftest import COMMAND, Run, Terminal

Record = Callable[..., Path]


def test_transcripts_of_many_files(run: Run, record: Record, tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac", "talks/c.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        record(name, 0.3)
    (tmp_path / "broken.wav").write_text("no sound")
    done = run("transcribe", "a.wav", "*.flac", "talks", "broken.wav", "-f", "srt", "-f", "tsv", "-o", "out", "--words")
    assert done.code == 1 and "audio-server: broken.wav: the audio is plain text; allowed: WAV, FLAC" in done.text
    assert "a.wav -> out/a.srt, out/a.tsv\n" in done.text
    written = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out").iterdir())
    assert written == ["out/a.srt", "out/a.tsv", "out/b.srt", "out/b.tsv", "out/c.srt", "out/c.tsv"]
    assert (tmp_path / "out/a.tsv").read_text().endswith(f"\t{words(0.3)}\n")


def test_json_on_a_server(run: Run, record: Record, spoken_server: Server) -> None:
    record("a.wav", 0.3)
    record("b.wav", 0.5)
    server = ("--server", spoken_server.url)
    done = run("transcribe", "b.wav", "a.wav", "--json", "--words", "--language", "English", *server)
    found = [json.loads(line) for line in done.text.splitlines() if line.startswith("{")]
    assert done.code == 0 and [(line["file"], line["text"]) for line in found] == [
        ("b.wav", words(0.5)),
        ("a.wav", words(0.3)),
    ]
    assert [word["word"] for word in found[1]["words"]] == words(0.3).split()


def test_speakers_and_rttm_on_a_server(run: Run, record: Record, spoken_server: Server, tmp_path: Path) -> None:
    record("a.wav", 2.5)
    done = run(
        "transcribe", "a.wav", "--server", spoken_server.url, "-f", "rttm", "-f", "text", "-o", "./", "--diarize"
    )
    assert done.code == 0
    assert (tmp_path / "a.rttm").read_text().splitlines()[1].startswith("SPEAKER a 1 1.000 1.000 <NA> <NA> SPEAKER_01")
    assert "[SPEAKER_00]: one two" in (tmp_path / "a.txt").read_text()


def test_a_server_at_the_configured_port_is_used(run: Run, record: Record, spoken_server: Server) -> None:
    record("a.wav", 0.2)
    port = spoken_server.url.rpartition(":")[2]
    done = run("transcribe", "a.wav", SPEECHMLX_PORT=port)
    assert (done.code, done.text.splitlines()[0]) == (0, f"using the server at {spoken_server.url}")
    assert done.text.endswith(f"{words(0.2)}\n")


def test_through_pipes(terminal_environment: dict[str, str], spoken_server: Server, tmp_path: Path) -> None:
    speak = [COMMAND, "speak", "-", "-o", "-", "--server", spoken_server.url]
    transcribe = [COMMAND, "transcribe", "-", "--server", spoken_server.url]
    given = {"env": terminal_environment, "capture_output": True, "timeout": 60, "cwd": tmp_path}
    spoken = subprocess.run(speak, input=b"One two\nthree.\n\nFour.", **given)  # type: ignore[call-overload]
    assert spoken.stderr == b"" and spoken.returncode == 0 and spoken.stdout[:4] == b"RIFF"
    heard = subprocess.run(transcribe, input=spoken.stdout, **given)  # type: ignore[call-overload]
    assert (heard.returncode, heard.stdout.decode(), heard.stderr) == (0, f"{words(0.4)}\n", b"")
    nothing = subprocess.run(speak, input=b" \n", **given)  # type: ignore[call-overload]
    assert (nothing.returncode, nothing.stderr) == (2, b"audio-server: there is no text on standard input\n")


def test_speech_is_written(run: Run, spoken_server: Server, tmp_path: Path) -> None:
    for ending in ("wav", "mp3"):
        done = run("speak", "One", "two three.", "--speed", "1.5", "-o", f"a.{ending}", "--server", spoken_server.url)
        assert (done.code, done.text) == (0, f"a.{ending}: 0.2 s\n")
        assert soundfile.info(tmp_path / f"a.{ending}").duration == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize("on_server", [False, True])
def test_subtitles_of_speech(run: Run, spoken_server: Server, tmp_path: Path, on_server: bool) -> None:
    server = ("--server", spoken_server.url) if on_server else ()
    done = run("speak", "One two.", "It is $5.", "-o", "a.wav", "--captions", "a.srt", "--json", *server)
    assert json.loads(done.text.splitlines()[-1]) == {
        "output": "a.wav", "seconds": 0.5, "rate": 24000, "captions": "a.srt"
    }  # fmt: skip
    assert (tmp_path / "a.srt").read_text() == (
        "1\n00:00:00,000 --> 00:00:00,200\nOne two.\n\n2\n00:00:00,200 --> 00:00:00,500\nIt is $5.\n"
    )


def test_subtitles_of_several_texts(
    terminal_environment: dict[str, str], spoken_server: Server, tmp_path: Path
) -> None:
    speak = [COMMAND, "speak", "-", "-o", "a.wav", "--captions", "a.vtt", "--server", spoken_server.url]
    given = {"env": terminal_environment, "capture_output": True, "timeout": 60, "cwd": tmp_path}
    subprocess.run(speak, input=b"One two\nthree.\n\nFour.", check=True, **given)  # type: ignore[call-overload]
    assert (tmp_path / "a.vtt").read_text() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.300\nOne two three.\n\n00:00:00.300 --> 00:00:00.400\nFour.\n"
    )


def test_an_answer_and_less_noise(run: Run, record: Record, tmp_path: Path) -> None:
    record("ask.wav", 0.3)
    done = run("respond", "ask.wav", "-o", "answer.opus")
    assert done.code == 0 and f"Question: {words(0.3)}\nAnswer: You said: {words(0.3)}. Well," in done.text
    assert (tmp_path / "answer.opus").read_bytes()[:4] == b"OggS"
    done = run("enhance", "ask.wav", "--json")
    line = json.loads(done.text.splitlines()[-1])
    assert line == {"file": "ask.wav", "output": "ask-enhanced.wav", "seconds": 0.3, "rate": 24000}
    assert soundfile.info(tmp_path / "ask-enhanced.wav").duration == pytest.approx(0.3)


def test_an_answer_and_less_noise_on_a_server(run: Run, record: Record, spoken_server: Server, tmp_path: Path) -> None:
    record("ask.wav", 0.3)
    server = ("--server", spoken_server.url)
    done = run("respond", "ask.wav", "--json", "-o", "a.wav", *server)
    told = json.loads(done.text)
    assert (done.code, told["question"], told["output"]) == (0, words(0.3), "a.wav")
    assert told["seconds"] == pytest.approx(soundfile.info(tmp_path / "a.wav").duration, abs=0.001)
    done = run("enhance", "ask.wav", "a.wav", "-o", "clean/", "-f", "flac", *server)
    assert (done.code, done.text.splitlines()[-2:]) == (0, ["clean/ask.flac", "clean/a.flac"])
    assert soundfile.info(tmp_path / "clean/ask.flac").duration == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["transcribe"], 2, "Missing argument 'FILES...'"),
        (["transcribe", "nowhere.wav"], 2, "nowhere.wav cannot be read: there is no such file or folder"),
        (
            ["transcribe", "a.wav", "-f", "doc"],
            2,
            "there is no format 'doc' of transcripts; the formats are",
        ),
        (["transcribe", "a.wav", "a.mp3", "-f", "srt"], 2, "several results are written to files: add -o FOLDER/"),
        (["transcribe", "a.wav", "--server", "here"], 2, "is not the address of a server; write it like http://"),
        (["transcribe", "a.wav", "--server", "http://127.0.0.1:1"], 1, "no audio-server answers at http://127.0.0.1:1"),
        (["transcribe", "a.wav", "--model", "ears"], 2, "there is no model 'ears'"),
        (["enhance", "a.wav", "-o", "a.wav"], 2, "a.wav is the recording itself"),
        (["enhance", "a.wav", "-f", "doc"], 2, "tells no format"),
        (["respond", "./"], 2, "is 2 recordings; name one"),
        (["speak", "Hi.", "--voice", "x", "-o", "a/b.wav"], 2, "a/b.wav cannot be written: No such file or directory"),
        (["transcribe", "--help"], 0, "Turn recordings into text or subtitles."),
        (["enhance", "--help"], 0, "Reduce the noise of recordings."),
        (["respond", "--help"], 0, "Answer a recorded question aloud."),
        (["speak", "Hi.", "--captions", "a.txt"], 2, "'a.txt' tells no format of subtitles: it ends in .srt or .vtt"),
        (["speak", "Hi.", "--words", "--captions", "a.srt"], 2, "--captions goes with sound"),
        (["speak", "--help"], 0, "It is played, or written to a file, while it is made."),
    ],
)
def test_help_and_errors(run: Run, record: Record, arguments: list[str], code: int, says: str) -> None:
    record("a.wav", 0.1)
    record("a.mp3", 0.1)
    done = run(*arguments)
    assert done.code == code and says in " ".join(done.text.split()) and "Traceback" not in done.text


def test_errors_of_a_server(run: Run, record: Record, spoken_server: Server, tmp_path: Path) -> None:
    record("a.wav", 0.1)
    server = ("--server", spoken_server.url)
    done = run("speak", "fail=1 steps=3", "--model", "scripted", "-o", "b.wav", *server)
    assert done.code == 1 and "the server broke the connection off" in done.text
    assert not (tmp_path / "b.wav").exists()
    done = run("speak", "Hi.", "--model", "ears", "-o", "b.wav", *server)
    assert done.code == 2 and "there is no model 'ears'" in done.text


def test_ctrl_c_ends_at_once_and_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    child = terminal("speak", "steps=1000000 work=0.002", "--model", "scripted", "-o", "a.wav")
    end = time.monotonic() + 30
    while not (tmp_path / "a.wav").exists() or not (tmp_path / "a.wav").stat().st_size:
        assert time.monotonic() < end
        time.sleep(0.05)
    engines = children(child.pid)
    assert engines
    child.sendintr()
    child.expect(pexpect.EOF)  # it would go on for half an hour
    child.close()
    assert child.exitstatus == 130, child.before
    assert not (tmp_path / "a.wav").exists() and "Traceback" not in (child.before or "")
    for engine in engines:
        with pytest.raises(ProcessLookupError):
            os.kill(engine, signal.SIG_DFL)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [child.pid for child in psutil.Process(pid).children()]
