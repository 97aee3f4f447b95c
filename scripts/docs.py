"""Writes docs/configuration.md from the fields of Config."""

from __future__ import annotations

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from speechmlx.config import KINDS, PREFIX, Config, default_text

FILE = Path(__file__).parents[1] / "docs/configuration.md"
INTRODUCTION = """# Configuration

<!-- scripts/docs writes this file from speechmlx/config.py. -->

A setting has four sources. A flag wins over the environment, the environment over the settings file, and the file over
the default. A setting that does not exist, or a value that is not allowed, ends `audio-server` with a sentence and
status 2 before it serves anything; so does a variable that begins with `SPEECHMLX_` and is none of these.

`audio-server config` shows every setting, its value and where it comes from. `audio-server config --write` writes the
settings file, with every setting and its description as comments.

The settings file is TOML. Its keys are the names in the first column. It is
`~/Library/Application Support/speechmlx/config.toml` on macOS and `$XDG_CONFIG_HOME/speechmlx/config.toml` elsewhere
(`~/.config` where the variable is not set); `--config FILE` names another file.

```toml
port = 9000
memory_limit = "8GB"
allow_origin = ["https://app.example"]

[models]
asr = "whisper-base"
```

In the environment, lists are separated by commas. Each kind of model has a variable, such as
`SPEECHMLX_ASR=whisper-base`; `SPEECHMLX_MODELS=asr=whisper-base,tts=kokoro` has several.
Sizes are bytes, or numbers with a unit: `512MiB`, `8GB`.

Some names of other servers in the environment are read too, where the setting of this server's own name is not there:
`SERVER_API_KEY` for `api_key`, `PORT_WHISPERLIVE=5050` for `--bind whisperlive=5050`, `HTTP_PORT=8081` for
`--bind hybrid=8081`, and `FASTERWHISPER_MODEL=small` for `--asr small`. A port that is the main one is not bound twice.
`OMP_NUM_THREADS` and `OPENBLAS_NUM_THREADS` set the threads of the engine process on Linux.

"""


def row(entry: Field[Any]) -> str:
    """The line of one setting in the table."""
    flag = f"`--{entry.name.replace('_', '-')}`" if entry.metadata["flag"] else ""
    unit = f" In {entry.metadata['unit']}." if "unit" in entry.metadata else ""
    again = " The flag can be given again." if entry.metadata.get("repeat") else ""
    what = f"{entry.metadata['help']}{unit}{again}"
    return f"| `{entry.name}` | {flag} | `{PREFIX}{entry.name.upper()}` | {default_text(entry)} | {what} |"


def configuration() -> str:
    """The text of docs/configuration.md."""
    lines = ["| setting | flag | environment | default | what it does |", "|---|---|---|---|---|"]
    lines += [row(entry) for entry in fields(Config)]
    lines += [
        "",
        "## Models per kind",
        "",
        "| key in `[models]` | flag | default | environment | what it does |",
        "|---|---|---|---|---|",
    ]
    for kind, help in KINDS.items():
        lines.append(f"| `{kind}` | `--{kind}` | the profile's | `{PREFIX}{kind.upper()}` | {help} |")
    return INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(configuration())
