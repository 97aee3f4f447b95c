"""tiktoken's vocabularies of bytes → vocab.json and merges.txt, as tokenizers reads them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from speechmlx.models.convert.weights import reading

MOST = 1 << 18
"""Tokens. The largest known vocabulary has 200,000."""
LONGEST = 256
"""Bytes of a token."""
PLAIN = (*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1))
"""Bytes that stand for themselves as letters; the others take the letters from 256 on."""
LETTERS = {byte: chr(byte) for byte in PLAIN} | {
    byte: chr(256 + number) for number, byte in enumerate(byte for byte in range(256) if byte not in PLAIN)
}


def read_ranks(path: Path) -> dict[bytes, int]:
    """Token and rank of each line, from 0 on without a gap, all single bytes among them. Raises SourceFailed."""
    with reading(path, "a vocabulary of tiktoken"):
        ranks = {}
        for line in path.read_bytes().splitlines():
            if line.strip():
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
        if not len(ranks) <= MOST or max(map(len, ranks)) > LONGEST:
            raise ValueError(f"it has {len(ranks)} tokens of up to {max(map(len, ranks))} bytes")
        if sorted(ranks.values()) != list(range(len(ranks))):
            raise ValueError("its ranks are not 0, 1, 2, ...")
        if missing := [byte for byte in range(256) if bytes([byte]) not in ranks]:
            raise ValueError(f"{len(missing)} bytes are no token")
    return ranks


def write_bpe(folder: Path, ranks: Mapping[bytes, int]) -> None:
    """Write vocab.json and merges.txt of `read_ranks`."""
    vocabulary = {_spelt(token): rank for token, rank in ranks.items()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    pairs = (merged(token, ranks) for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1)
    lines = [f"{_spelt(pair[0])} {_spelt(pair[1])}" for pair in pairs if pair]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]), encoding="utf-8")


def merged(token: bytes, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes] | None:
    """The two tokens that make `token`; None where the merges before its rank do not come to two."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        at = min(range(len(parts) - 1), key=lambda place: ranks.get(parts[place] + parts[place + 1], len(ranks)))
        if ranks.get(parts[at] + parts[at + 1], len(ranks)) >= ranks[token]:
            return None
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _spelt(token: bytes) -> str:
    return "".join(LETTERS[byte] for byte in token)
