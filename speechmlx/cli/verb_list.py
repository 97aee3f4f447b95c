"""The verbs of `audio-server` in groups, with their lines in its help. It imports nothing."""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "Server": {
        "serve": "Run the server. This is the default.",
        "service": "Run it in the background, from login on.",
        "key": "The keys that clients must send.",
        "cluster": "Several Macs as one server.",
    },
    "Speech": {
        "transcribe": "Recordings to text and subtitles.",
        "listen": "The microphone to text, while you speak.",
        "speak": "Text to sound.",
        "talk": "A conversation with the microphone.",
        "respond": "A spoken answer to a recorded question.",
        "enhance": "Recordings with less noise.",
        "voices": "The stored voices that models imitate.",
        "run": "What a model does.",
        "bench": "How fast this machine is.",
    },
    "Models": {
        "models": "List the models, or tell about some of them.",
        "pull": "Download models.",
        "rm": "Delete downloaded models.",
        "check": "Compare downloaded models with what was fetched.",
    },
    "This machine": {
        "doctor": "Find out what is wrong, and what to do about it.",
        "config": "Every setting, its value and its source; write the file.",
        "extras": "Packages for more languages and for traces.",
        "version": "Show the version.",
    },
}
"""Headings of the help; below each its verbs, with what the help says of them. A verb is the function, or the Typer, of
its name in the module of its name, which is imported when the verb is used."""
VERBS = {verb: line for verbs in GROUPS.values() for verb, line in verbs.items()}
"""Verbs and lines without the headings."""
