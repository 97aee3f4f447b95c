"""Writes a release into Formula/speechmlx.rb: `scripts/formula.py VERSION ORIGIN SHA256`. scripts/release calls it.

The homepage is the page of the git remote ORIGIN, the stable source is the release's tarball there, the head is ORIGIN.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FORMULA = Path(__file__).parents[1] / "Formula/speechmlx.rb"
OLD = re.compile(r"^  (homepage|url|sha256) .*\n", re.MULTILINE)
HEAD = re.compile(r"^  head .*$", re.MULTILINE)


def page(origin: str) -> str:
    """The https address of a git remote, without `.git`. Raises ValueError for a remote that has none."""
    remote = origin.strip().removesuffix("/").removesuffix(".git")
    over_ssh = re.fullmatch(r"(?:ssh://)?[\w.-]+@([\w.-]+)[:/](.+)", remote)
    if over_ssh is not None:
        remote = f"https://{over_ssh[1]}/{over_ssh[2]}"
    if re.fullmatch(r"https://[\w.-]+(:\d+)?/[^\s\"'#@]+", remote) is None:
        raise ValueError(f"the remote {origin!r} has no https address; the formula needs one that others can reach")
    return remote


def released(formula: str, version: str, origin: str, sha256: str) -> str:
    """The text of the formula with the release in it. Raises ValueError where something of it cannot be."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not re.fullmatch(r"\d+\.\d+\.\d+\w*", version):
        raise ValueError(f"{version!r} with {sha256!r} is no version with its SHA-256")
    home = page(origin)
    tarball = f"{home}/releases/download/v{version}/speechmlx-{version}.tar.gz"
    lines = [f'homepage "{home}"', f'url "{tarball}"', f'sha256 "{sha256}"']
    text, licences = re.subn(
        r"^  license ", "  " + "\n  ".join(lines) + "\n  license ", OLD.sub("", formula), flags=re.M
    )
    text, heads = HEAD.subn(f'  head "{home}.git", branch: "main"', text)
    if (licences, heads) != (1, 1):
        raise ValueError("the formula has not one license and one head")
    return text


if __name__ == "__main__":
    try:
        FORMULA.write_text(released(FORMULA.read_text(), *sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
