from __future__ import annotations

import hashlib
from pathlib import Path

from speechmlx.models.digest import digest


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" * 1000)
    assert digest(tmp_path / "file") == hashlib.sha256(b"abc" * 1000).hexdigest()
