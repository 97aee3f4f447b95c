"""The main jobs over HTTP and live, checked: speak, hear, listen, clean, answer; exits 0 only if all really worked."""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import jiwer
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from whisper_normalizer.english import EnglishTextNormalizer

Samples = NDArray[np.float64]

SERVER = Path(sys.executable).with_name("audio-server")
SENTENCE = "The quick brown fox jumps over the lazy dog, and then it walks home through the quiet forest."
QUESTION = "What is the capital of France?"
VOICE, ASKING_VOICE = "af_heart", "am_michael"
NOISE_DB = 5.0
"""Speech over noise in the recording that is to be cleaned."""
START_LIMIT = 30.0
CALL_LIMIT = 300.0
LIVE_RATE = 16000
"""Hz of live audio."""
COMMANDS = ("git clone", "scripts/demo")
"""What a person has typed until the first useful result."""

console = Console(highlight=False)
normalise = EnglishTextNormalizer()


class NotProven(Exception):
    """A step answered, but not with what it should have."""


def word_error_rate(said: str, heard: str) -> float:
    return float(jiwer.wer(normalise(said), normalise(heard)))


def si_sdr(reference: Samples, estimate: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio in dB of `estimate` [n] against `reference` [n]."""
    target = reference * (estimate @ reference) / (reference @ reference)
    return float(10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target))))


def with_noise(clean: Samples, rate: int) -> Samples:
    """`clean` [n] with a steady rumbling hiss `NOISE_DB` below it, always the same."""
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(len(clean)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(len(clean), 1 / rate), 50)), len(clean))
    noise *= np.sqrt(np.mean(clean**2) / np.mean(noise**2)) * 10 ** (-NOISE_DB / 20)
    return clean + noise


def read_wav(data: bytes) -> tuple[Samples, int]:
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float64")
    return samples, rate


def write_wav(samples: Samples, rate: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples * min(1.0, 0.99 / np.abs(samples).max()), rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def send_paced(socket: Connection, pcm: bytes) -> None:
    """Sends PCM16 at LIVE_RATE as fast as it is spoken, then the end."""
    start, piece = time.perf_counter(), LIVE_RATE // 5  # 100 ms
    for place in range(0, len(pcm), piece):
        socket.send(pcm[place : place + piece])
        time.sleep(max(0.0, start + (place + piece) / 2 / LIVE_RATE - time.perf_counter()))
    socket.send(b"")


class Demo:
    """One run against the server behind `client`; recordings go to `folder`."""

    def __init__(self, client: httpx.Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.first_result: float | None = None
        """Unix time when the first recording was spoken."""

    def post(self, path: str, **request: Any) -> tuple[httpx.Response, float]:
        """The answer to one request and the seconds it took; anything but a 200 ends the demo with its reason."""
        start = time.perf_counter()
        response = self.client.post(path, **request)
        if response.status_code != 200:
            raise NotProven(f"POST {path} answered {response.status_code}: {response.text}")
        return response, time.perf_counter() - start

    def save(self, name: str, wav: bytes) -> float:
        """Writes a recording and returns how many seconds it lasts; one without sound ends the demo."""
        (self.folder / name).write_bytes(wav)
        samples, rate = read_wav(wav)
        if not len(samples) or np.abs(samples).max() < 0.01:
            raise NotProven(f"{name} is silent")
        return len(samples) / rate

    def tell(self, what: str, text: str, seconds: float, note: str) -> None:
        console.print(
            f"[bold green]{what:>9}[/]  {escape(text)}  [cyan]{seconds:.2f} s[/]  [dim]{escape(note)}[/]",
            soft_wrap=True,
        )

    def speak(self, what: str, text: str, voice: str, name: str) -> bytes:
        response, seconds = self.post("/speak", json={"text": text, "engine": "kokoro", "voice": voice})
        lasts = self.save(name, response.content)
        self.tell(what, f"“{text}”", seconds, f"{name}, {lasts:.1f} s of speech by {voice}")
        return response.content

    def hear(self, what: str, wav: bytes, said: str, limit: float) -> None:
        """Transcribes `wav`; more than `limit` of the words of `said` wrong ends the demo."""
        response, seconds = self.post("/transcribe", content=wav, headers={"Content-Type": "audio/wav"})
        heard = response.json()
        wrong = word_error_rate(said, heard["text"])
        note = f"{wrong:.0%} of the words wrong, confidence {heard['confidence']:.2f}, {heard['model']}"
        self.tell(what, f"“{heard['text'].strip()}”", seconds, note)
        if wrong > limit:
            raise NotProven(f"{wrong:.0%} of the words heard are not those said; {limit:.0%} is the limit")

    def listen(self, wav: bytes, said: str, limit: float) -> None:
        """Sends `wav` to /asr as a microphone would; too many wrong words end the demo."""
        speech, rate = read_wav(wav)
        pcm = (soxr.resample(speech, rate, LIVE_RATE) * 32767).astype("<i2").tobytes()
        address = str(self.client.base_url).replace("http", "ws", 1).rstrip("/") + "/asr?language=en"
        first, lines = 0.0, list[dict[str, Any]]()
        with connect(address, proxy=None) as socket, ThreadPoolExecutor(1) as sender:
            socket.recv(CALL_LIMIT)  # what audio the server takes
            start = time.perf_counter()
            sending = sender.submit(send_paced, socket, pcm)
            while (message := json.loads(socket.recv(CALL_LIMIT))).get("type") != "ready_to_stop":
                lines = message["lines"]
                if not first and (lines or message["buffer_transcription"]):
                    first = time.perf_counter() - start
            sending.result()
        text = " ".join(line["text"] for line in lines if line["text"])
        late = time.perf_counter() - start - len(speech) / rate
        wrong = word_error_rate(said, text)
        note = f"while it was said: first words after {first:.1f} s, {wrong:.0%} of the words wrong"
        self.tell("live", f"“{text}”", late, note)
        if wrong > limit:
            raise NotProven(f"{wrong:.0%} of the words heard live are not those said; {limit:.0%} is the limit")

    def clean(self, wav: bytes) -> None:
        """Adds noise to `wav` and has it cleaned; less than 5 dB better ends the demo."""
        speech, rate = read_wav(wav)
        noisy = write_wav(with_noise(speech, rate), rate)
        self.save("noisy.wav", noisy)
        response, seconds = self.post("/enhance", content=noisy, headers={"Content-Type": "audio/wav"})
        self.save("clean.wav", response.content)
        cleaned, clean_rate = read_wav(response.content)
        reference = soxr.resample(speech, rate, clean_rate)
        if len(cleaned) != len(reference):
            raise NotProven(f"clean.wav has {len(cleaned)} samples, not {len(reference)}")
        before = si_sdr(reference, soxr.resample(read_wav(noisy)[0], rate, clean_rate))
        after = si_sdr(reference, cleaned)
        self.tell("cleaned", f"{before:.1f} dB → {after:.1f} dB SI-SDR", seconds, "noisy.wav → clean.wav")
        if after - before < 5:
            raise NotProven(f"/enhance won {after - before:.1f} dB; 5 is the least")

    def ask(self, question: bytes) -> None:
        """Asks with sound, takes the answer as JSON and as WAV, and hears that each says its own words."""
        wav = {"content": question, "headers": {"Content-Type": "audio/wav"}}
        response, seconds = self.post("/respond?format=json", **wav)
        answer = response.json()
        audio = base64.b64decode(answer["audio_base64"])
        self.answered(answer["text"], audio, seconds, "answer.wav")
        response, seconds = self.post("/respond", **wav)
        self.answered(unquote(response.headers["X-Response-Text"]), response.content, seconds, "answer-2.wav")

    def answered(self, text: str, wav: bytes, seconds: float, name: str) -> None:
        if not re.search(r"\w", text):
            raise NotProven("/respond answered without a word")
        lasts = self.save(name, wav)
        self.tell("answered", f"“{text.strip()}”", seconds, f"{name}, {lasts:.1f} s of speech")
        self.hear("which is", wav, text, limit=0.35)

    def run(self) -> None:
        spoken = self.speak("said", SENTENCE, VOICE, "spoken.wav")
        self.first_result = time.time()
        self.hear("heard", spoken, SENTENCE, limit=0.2)
        self.listen(spoken, SENTENCE, limit=0.2)
        self.clean(spoken)
        self.ask(self.speak("asked", QUESTION, ASKING_VOICE, "question.wav"))


@contextmanager
def server(log: Path) -> Iterator[str]:
    """A server process of its own on a free port, up until the block ends; gives its address."""
    with log.open("wb") as out:
        command = [str(SERVER), "--port", "0", "--profile", "starter"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield wait_until_up(process, log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NotProven("the server did not end within 15 s of SIGTERM") from None


def wait_until_up(process: subprocess.Popen[bytes], log: Path) -> str:
    """Polls until the address stands in the log and /health answers there."""
    start = time.monotonic()
    while time.monotonic() - start < START_LIMIT and process.poll() is None:
        if found := re.search(r"Starting server on (http://\S+)", log.read_text()):
            try:
                if httpx.get(found[1] + "/health", trust_env=False).json()["status"] == "ok":
                    console.print(f"Server up at {found[1]} after {time.monotonic() - start:.2f} s")
                    return found[1]
            except httpx.TransportError:
                pass
        time.sleep(0.02)
    raise NotProven(f"the server did not come up:\n{log.read_text()}")


def summary(started: float, first_result: float, ended: float) -> str:
    """How long it took from the start of scripts/demo; Unix times."""
    first, all_of_it = first_result - started, ended - started
    return (
        f"First useful result, spoken.wav, after {first:.0f} s and {len(COMMANDS)} commands: {', '.join(COMMANDS)}. "
        f"All of it worked after {all_of_it:.0f} s, with all that was installed, fetched and loaded."
    )


def next_steps(address: str | None) -> str:
    """What to do now: with the server that runs at `address`, or with one that is to be started."""
    if address is not None:
        return f"Open {address}/ in a browser. Up until Ctrl-C. Lines to paste:"
    return f"Now start the server with {SERVER}, and open http://127.0.0.1:8080/ in a browser."


def curl_lines(address: str, folder: Path) -> str:
    return f"""
curl {address}/health
curl {address}/speak -H 'Content-Type: application/json' -d '{{"text":"Hello, world!"}}' -o hello.wav
curl {address}/transcribe -H 'Content-Type: audio/wav' --data-binary @{folder}/spoken.wav
curl {address}/enhance -H 'Content-Type: audio/wav' --data-binary @{folder}/noisy.wav -o clean.wav
curl {address}/respond -H 'Content-Type: audio/wav' --data-binary @{folder}/question.wav -o answer.wav -D -
"""


def demonstrate(folder: Path, serve: bool) -> None:
    """Run all of it against a server of its own. Raises NotProven."""
    started = float(os.environ.get("DEMO_STARTED", time.time()))
    with server(folder / "server.log") as address:
        with httpx.Client(base_url=address, timeout=CALL_LIMIT, trust_env=False) as client:
            demo = Demo(client, folder)
            demo.run()
        assert demo.first_result is not None
        console.print(f"[bold green]{summary(started, demo.first_result, time.time())}[/]", soft_wrap=True)
        console.print(next_steps(address if serve else None), markup=False, soft_wrap=True)
        if serve:
            console.print(curl_lines(address, folder), markup=False, soft_wrap=True)
            signal.pause()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="leave the server up and print its page and curl lines")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the recordings go (default: a new folder)")
    args = parser.parse_args()
    folder = (args.keep or Path(tempfile.mkdtemp(prefix="speechmlx-demo-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    if subprocess.run([SERVER, "pull", "starter"], stdin=subprocess.DEVNULL).returncode:
        console.print("[bold red]failed[/]  the starter models could not be fetched")
        return 1
    try:
        demonstrate(folder, args.serve)
    except KeyboardInterrupt:
        return 130
    except (NotProven, httpx.TransportError) as error:
        console.print(f"[bold red]failed[/]  {escape(str(error))}", soft_wrap=True)
        return 1
    finally:
        console.print(f"Recordings and the server's log: {folder}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
