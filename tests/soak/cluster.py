"""A cluster of two replicas on this machine: the tests of tests/cluster, then replicas killed under load.

`scripts/soak cluster [--kills 5] [--each 8]`. It makes an environment with Ray Serve, .venv/cluster. Both replicas get
2 jobs and 3 live sessions for each of `--each`, then one is killed. It prints what the killed one's clients were told
and after how long. Status 1: a test failed, or a client was told nothing within LIMIT seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from support.cluster import Cluster, kill_one, running_cluster

LIMIT = 2.0
ROOT = Path(__file__).parents[2]


def one_kill(cluster: Cluster, each: int) -> tuple[dict[str, list[float]], int, float]:
    """Seconds after which clients were told, by what they were told; how many went on; seconds to two replicas."""
    victim = cluster.replicas[0].pid
    told, others, killed = asyncio.run(kill_one(cluster, each))
    cluster.wait_for_replicas(but=victim)
    by_words: dict[str, list[float]] = defaultdict(list)
    for one in told:
        by_words[one.what].append(one.when - killed)
    return by_words, others, time.monotonic() - killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--each", type=int, default=8)
    options = parser.parse_args()
    tested = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/cluster"], cwd=ROOT).returncode
    all_told: dict[str, list[float]] = defaultdict(list)
    went_on, again = 0, []
    with running_cluster() as cluster:
        for _ in range(options.kills):
            told, others, seconds = one_kill(cluster, options.each)
            for words, times in told.items():
                all_told[words] += times
            went_on += others
            again.append(seconds)
    lines = [f"{words:<24}{len(times):>8}{max(times):>12.2f} s" for words, times in sorted(all_told.items())]
    lines += [
        f"{'went on elsewhere':<24}{went_on:>8}",
        f"{'two replicas again':<24}{len(again):>8}{max(again):>12.1f} s",
    ]
    sys.stdout.write("\n".join([f"{'clients were told':<24}{'times':>8}{'at the latest':>14}", *lines]) + "\n")
    late = any(time > LIMIT for times in all_told.values() for time in times)
    return 1 if tested or late else 0


if __name__ == "__main__":
    sys.exit(main())
