"""deepgram-sdk 7 against a server, as an application uses it: python sdk7.py URL FOLDER. Prints what it found as JSON.

FOLDER holds speech.wav and, as PCM16 at 16 kHz, live.raw.
"""

import json
import sys
import threading
from pathlib import Path

from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

url, folder, site = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
socket = url.replace("http", "ws")
client = DeepgramClient(
    api_key="unused", environment=DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)
)
audio, recording = (folder / "live.raw").read_bytes(), (folder / "speech.wav").read_bytes()
found = {}


def listen(connection):
    """Collect the messages on a thread until the end of the connection."""
    got = []
    connection.on(EventType.MESSAGE, got.append)
    connection.on(EventType.ERROR, got.append)
    thread = threading.Thread(target=connection.start_listening)
    thread.start()
    return got, thread


# Live
with client.listen.v1.connect(
    model="nova-3",
    encoding="linear16",
    sample_rate=16000,
    interim_results=True,
    vad_events=True,
    utterance_end_ms=1000,
    punctuate=True,
) as connection:
    got, thread = listen(connection)
    for start in range(0, len(audio), 3200):
        connection.send_media(audio[start : start + 3200])
    connection.send_keep_alive()
    connection.send_finalize()
    connection.send_close_stream()
    thread.join(20)
finals = [one for one in got if one.type == "Results" and one.is_final]
found["live"] = " ".join(text for one in finals if (text := one.channel.alternatives[0].transcript))
found["seen"] = sorted({one.type for one in got})
found["finalized"] = any(one.from_finalize for one in finals)

# Flux
with client.listen.v2.connect(model="flux-general-en", encoding="linear16", sample_rate=16000) as connection:
    got, thread = listen(connection)
    for start in range(0, len(audio), 2560):
        connection.send_media(audio[start : start + 2560])
    connection.send_close_stream()
    thread.join(20)
turns = [one for one in got if one.type == "TurnInfo"]
found["flux"] = " ".join(one.transcript for one in turns if one.event == "EndOfTurn")
found["flux_first"] = got[0].type

# Recordings
answer = client.listen.v1.media.transcribe_file(request=recording, model="nova-3", smart_format=True, utterances=True)
found["file"] = answer.results.channels[0].alternatives[0].transcript
found["utterance"] = answer.results.utterances[0].transcript
found["url"] = (
    client.listen.v1.media.transcribe_url(url=site, model="nova-3").results.channels[0].alternatives[0].transcript
)
try:
    client.listen.v1.media.transcribe_file(request=b"only words in here, no audio", model="nova-3")
except ApiError as error:
    found["error"] = [error.status_code, error.body["err_code"], bool(error.body["request_id"])]

# Speech
pieces = client.speak.v1.audio.generate(
    text="one two three", model="aura-2-thalia-en", encoding="linear16", container="none", sample_rate=16000
)
found["spoken"] = sum(map(len, pieces))
with client.speak.v1.connect(model="aura-2-thalia-en", encoding="linear16", sample_rate=16000) as connection:
    got, thread = listen(connection)
    connection.send_text(SpeakV1Text(type="Speak", text="one two "))
    connection.send_text(SpeakV1Text(type="Speak", text="three"))
    connection.send_flush()
    while not any(getattr(one, "type", "") == "Flushed" for one in got):
        thread.join(0.01)
    connection.send_clear()
    connection.send_close()
    thread.join(20)
found["spoken_live"] = sum(len(one) for one in got if isinstance(one, bytes))
found["told"] = [one.type for one in got if not isinstance(one, bytes)]
print(json.dumps(found))
