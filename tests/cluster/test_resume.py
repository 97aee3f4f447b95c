"""Live sessions of a killed replica go on at the other one. `scripts/soak cluster` runs this."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from support.cluster import SAID, resume_all, running_cluster
from support.scripted_loudness import LOUDNESS_MODELS

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray Serve is not installed; scripts/soak cluster"),
    pytest.mark.timeout(400),
]


async def test_sessions_of_a_killed_replica_go_on_at_the_other() -> None:
    """Each of their words comes once and in order."""
    with running_cluster(LOUDNESS_MODELS) as cluster:
        heard, killed = await resume_all(cluster, each=2)
    assert [one.wire for one in heard if one.words != SAID or one.failures] == [], heard
    moved = [one for one in heard if one.went_on]
    assert moved and len(moved) < len(heard), "each replica had sessions"
    assert max(one.went_on[0] for one in moved) - killed < 10.0
