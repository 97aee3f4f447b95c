"""Fetches files of a hub repository with huggingface-hub, which reads HF_ENDPOINT, HF_TOKEN and the proxies itself."""

from __future__ import annotations

import errno
import fnmatch
import math
import time
from pathlib import Path
from typing import Any

import requests

from speechmlx.models.download import plain
from speechmlx.models.pypi_source import Report
from speechmlx.models.spec import HubFiles, SourceFailed

CONNECT, ANSWER = 3.0, 10.0
"""Timeouts in seconds, to connect and to get a response, after which the next source is tried."""
SAME = 10.0
"""Seconds for which an answer of the hub counts, or its silence: many models may ask for it at once."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO)
"""Errors that occur with any source."""
QUIET = 0.2
"""Seconds between reports of progress."""
_answers: dict[str, tuple[float, str | None]] = {}
"""By endpoint: when it was asked, and why it could not be reached."""


def fetch_hub(source: HubFiles, folder: Path, report: Report) -> None:
    """Fetch the files of `source` into `folder`; continues an earlier partial fetch. Raises SourceFailed."""
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    if constants.HF_HUB_OFFLINE:
        raise SourceFailed("HF_HUB_OFFLINE is set")
    if reason := unreachable(constants.ENDPOINT):
        raise SourceFailed(f"{constants.ENDPOINT} cannot be reached ({reason})")
    try:
        info = HfApi().model_info(source.repo, revision=source.revision, timeout=ANSWER)
        snapshot_download(
            source.repo,
            revision=info.sha or source.revision,
            allow_patterns=list(source.patterns),
            local_dir=folder,
            tqdm_class=_bar(source.repo, report),
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise SourceFailed(f"{constants.ENDPOINT} has no {source.repo} at revision {source.revision}") from error
    except Exception as error:  # the library's transports raise errors of three families, RuntimeError among them
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        raise SourceFailed(plain(error).strip().split("\n")[0]) from error
    # Where the hub does not list the files after all, the library takes what a broken fetch left for all of them.
    names = (file.rfilename for file in info.siblings or ())
    wanted = (name for name in names if any(fnmatch.fnmatch(name, glob) for glob in source.patterns))
    if missing := [name for name in wanted if not (folder / name).is_file()]:
        raise SourceFailed(f"{constants.ENDPOINT} did not give {len(missing)} of its files, such as {missing[0]}")


def unreachable(endpoint: str) -> str | None:
    """Why `endpoint` cannot be reached; None if it can. An answer counts for SAME seconds."""
    asked, reason = _answers.get(endpoint, (-math.inf, None))
    if time.monotonic() - asked > SAME:
        reason = _unreachable(endpoint)
        _answers[endpoint] = time.monotonic(), reason
    return reason


def _unreachable(endpoint: str) -> str | None:
    try:
        requests.head(endpoint, timeout=(CONNECT, ANSWER))
    except requests.exceptions.SSLError:
        return None  # it answers: whether to trust it is for the library, which knows other settings
    except requests.RequestException as error:
        return plain(error)
    return None


def _bar(name: str, report: Report) -> type[Any]:
    """A tqdm class that draws nothing and reports the bytes written."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **(kwargs | {"disable": False, "mininterval": QUIET}))

        def display(self, *args: Any, **kwargs: Any) -> None:
            if self.unit == "B" and str(self.desc).startswith("Reconstruct"):
                report(int(self.n), int(self.total or 0), name)

        def close(self) -> None:
            self.disable = True  # or it would report once more when it is collected

    return Bar
