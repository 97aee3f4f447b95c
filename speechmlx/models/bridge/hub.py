"""Asks the hub what a repository is: its config.json, its commit and its size, and nothing else."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from typing import Any

from speechmlx.errors import ModelUnavailable, UnknownModel
from speechmlx.models.bridge.convert import PATTERNS
from speechmlx.models.download import plain
from speechmlx.models.hub_source import ANSWER, unreachable

CODE = (".py", ".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt")
"""Endings of files that are never fetched."""
MOST_CONFIG = 4 << 20
"""Bytes of a config.json."""
MOST_LICENCE = 100
"""Characters of a licence's name: it is shown, and names a file."""


@dataclass(frozen=True)
class Published:
    """A repository as it is now."""

    config: dict[str, Any]
    revision: str
    """Its commit: what is fetched later is that."""
    size: int
    """Bytes of the files that would be fetched."""
    licence: str = ""
    """As its card names it; "" where it names none."""


def look_up(repo: str) -> Published:
    """Raises UnknownModel for what is no model's repository, ModelUnavailable where the hub does not answer."""
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    if constants.HF_HUB_OFFLINE:
        raise ModelUnavailable(f"{repo} is not on this machine, and HF_HUB_OFFLINE is set")
    if reason := unreachable(constants.ENDPOINT):
        raise ModelUnavailable(f"{constants.ENDPOINT} cannot be asked for {repo}: {reason}")
    try:
        info = HfApi().model_info(repo, files_metadata=True, timeout=ANSWER)
        files = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
        wanted = {name: size for name, size in files.items() if any(fnmatch.fnmatch(name, glob) for glob in PATTERNS)}
        if not any(name.endswith(".safetensors") and "/" not in name for name in wanted):
            odd = [name for name in files if name.endswith(CODE)]
            has = f"; it has {', '.join(odd[:3])}, which may hold code and are not read" if odd else ""
            raise UnknownModel(f"the repository {repo} has no weights that end in .safetensors{has}")
        if files.get("config.json", 0) > MOST_CONFIG:
            raise UnknownModel(f"config.json of {repo} has {files['config.json']} bytes")
        path = hf_hub_download(repo, "config.json", revision=info.sha)
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except RepositoryNotFoundError as error:
        raise UnknownModel(f"{constants.ENDPOINT} has no repository {repo!r} that this machine may read") from error
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):  # no answer, and it is not here from earlier
            raise ModelUnavailable(
                f"{constants.ENDPOINT} did not give config.json of {repo}: {plain(error)}"
            ) from error
        raise UnknownModel(f"the repository {repo} has no config.json, so what it is cannot be told") from error
    except UnknownModel:
        raise
    except Exception as error:  # the library's transports raise errors of three families
        raise ModelUnavailable(f"{constants.ENDPOINT} could not be asked for {repo}: {plain(error)}") from error
    if not isinstance(config, dict):
        raise UnknownModel(f"config.json of {repo} is no JSON object")
    return Published(config, str(info.sha), sum(wanted.values()), _licence(info.card_data))


def _licence(card: Any) -> str:
    """The licences that a model card names, all that it lists; "" where there is no card or no such text."""
    told = {} if card is None else {name: card.get(name) for name in ("license", "license_name")}
    named = told.get("license")
    licences = [text for text in (named if isinstance(named, list) else [named]) if isinstance(text, str)]
    if licences in ([], ["other"]) and isinstance(name := told.get("license_name"), str):
        licences = [name]
    said = " AND ".join(licences)
    return "".join(letter if letter.isprintable() else " " for letter in said)[:MOST_LICENCE].strip()
