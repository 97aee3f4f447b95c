"""deepgram-sdk 4 against a server, as an application uses it: python sdk4.py URL FOLDER. Prints what it found as JSON.

FOLDER holds speech.wav and, as PCM16 at 16 kHz, live.raw.
"""

import json
import sys
import threading
from pathlib import Path

from deepgram import (
    DeepgramClient,
    DeepgramClientOptions,
    LiveOptions,
    LiveTranscriptionEvents,
    PrerecordedOptions,
    SpeakOptions,
    SpeakWebSocketEvents,
    SpeakWSOptions,
)

url, folder, site = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
client = DeepgramClient("unused", DeepgramClientOptions(url=url, options={"keepalive": "true"}))
found = {}

# Live
finals, seen, finalized, closed = [], set(), threading.Event(), threading.Event()


def on_result(_, result, **more):
    seen.add("Results")
    if result.is_final:
        finals.append(result.channel.alternatives[0].transcript)
    if result.from_finalize:
        finalized.set()


live = client.listen.websocket.v("1")
live.on(LiveTranscriptionEvents.Transcript, on_result)
live.on(LiveTranscriptionEvents.Metadata, lambda _, metadata, **more: seen.add("Metadata"))
live.on(LiveTranscriptionEvents.SpeechStarted, lambda _, speech_started, **more: seen.add("SpeechStarted"))
live.on(LiveTranscriptionEvents.UtteranceEnd, lambda _, utterance_end, **more: seen.add("UtteranceEnd"))
live.on(LiveTranscriptionEvents.Error, lambda _, error, **more: seen.add(f"Error {error}"))
live.on(LiveTranscriptionEvents.Close, lambda _, close, **more: closed.set())
options = LiveOptions(
    model="nova-2",
    language="en",
    encoding="linear16",
    sample_rate=16000,
    channels=1,
    interim_results=True,
    punctuate=True,
    vad_events=True,
    utterance_end_ms="1000",
)
assert live.start(options)
audio = (folder / "live.raw").read_bytes()
for start in range(0, len(audio), 3200):
    live.send(audio[start : start + 3200])
live.finalize()
assert finalized.wait(20)
live.finish()
assert closed.wait(20)
found["live"], found["seen"] = " ".join(text for text in finals if text), sorted(seen)

# Recordings
options = PrerecordedOptions(model="nova-2", smart_format=True, utterances=True, paragraphs=True)
answer = client.listen.rest.v("1").transcribe_file({"buffer": (folder / "speech.wav").read_bytes()}, options)
only = answer.results.channels[0].alternatives[0]
found["file"], found["words"] = only.transcript, len(only.words)
found["paragraph"] = only.paragraphs.paragraphs[0].sentences[0].text
found["utterance"] = answer.results.utterances[0].transcript
answer = client.listen.rest.v("1").transcribe_url({"url": site}, options)
found["url"] = answer.results.channels[0].alternatives[0].transcript
answer = client.listen.rest.v("1").transcribe_file_callback(
    {"buffer": (folder / "speech.wav").read_bytes()}, site, options
)
found["callback"] = answer.request_id

# Speech
path = folder / "sdk4.wav"
saved = client.speak.rest.v("1").save(
    str(path), {"text": "one two three"}, SpeakOptions(model="aura-2-thalia-en", encoding="linear16", container="wav")
)
found["spoken"], found["model"], found["characters"] = path.stat().st_size, saved.model_name, saved.characters

sound, flushed, cleared, opened, ended = bytearray(), threading.Event(), threading.Event(), [], threading.Event()
speak = client.speak.websocket.v("1")
speak.on(SpeakWebSocketEvents.Metadata, lambda _, metadata, **more: opened.append(metadata.request_id))
speak.on(SpeakWebSocketEvents.AudioData, lambda _, data, **more: sound.extend(data))
speak.on(SpeakWebSocketEvents.Flushed, lambda _, flushed_response=None, **more: flushed.set())
speak.on(SpeakWebSocketEvents.Cleared, lambda _, **more: cleared.set())
speak.on(SpeakWebSocketEvents.Close, lambda _, close, **more: ended.set())
assert speak.start(SpeakWSOptions(model="aura-2-thalia-en", encoding="linear16", sample_rate=16000))
speak.send_text("one two ")
speak.send_text("three")
speak.flush()
assert flushed.wait(20)
speak.clear()
assert cleared.wait(20)
speak.finish()
assert ended.wait(20)
found["spoken_live"], found["opened"] = len(sound), len(opened)
print(json.dumps(found))
