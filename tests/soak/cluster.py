"""A cluster of two replicas on this machine: the tests of tests/cluster, then replicas killed under load.

`scripts/soak cluster [--no-tests] [--kills 5] [--each 8] [--resumes 3] [--starter]`. It makes an environment with Ray
Serve, .venv/cluster. Both replicas get 2 jobs and 3 live sessions for each of `--each`, then one is killed; it prints
what the killed one's clients were told and after how long. Then, `--resumes` times, a replica is killed while clients
of every live wire speak, who go on at the other one. With `--starter` a cluster of the starter models follows: OpenAI's
client, which tries again where it is told to, has 16 recordings transcribed while a replica is killed. Status 1: a test
failed, a client was told nothing within LIMIT seconds, a word was lost or came twice, or a recording was not
transcribed.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import openai
from support import clips
from support.cluster import SAID, Cluster, kill_one, resume_all, running_cluster
from support.scripted_loudness import LOUDNESS_MODELS

from speechmlx.models import store

LIMIT = 2.0
ROOT = Path(__file__).parents[2]


def one_kill(cluster: Cluster, each: int) -> tuple[dict[str, list[float]], int, float]:
    """Seconds after which clients were told, by what they were told; how many went on; seconds to two replicas."""
    victim = cluster.replicas[0].pid
    told, others, killed = asyncio.run(kill_one(cluster, each))
    cluster.wait_for_replicas(but=victim)
    by_words: dict[str, list[float]] = defaultdict(list)
    for one in told:
        by_words[one.what].append(one.after(killed))
    return by_words, others, time.monotonic() - killed


def kills(number: int, each: int) -> bool:
    """Kill a replica so many times, and print what clients were told; whether all were in time."""
    all_told: dict[str, list[float]] = defaultdict(list)
    went_on, again = 0, []
    with running_cluster() as cluster:
        for _ in range(number):
            told, others, seconds = one_kill(cluster, each)
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
    sys.stdout.flush()
    return all(time <= LIMIT for times in all_told.values() for time in times)


def resumes(number: int, each: int) -> bool:
    """Kill a replica so many times, and print who went on where; whether each word was heard once and in order."""
    right, moved = Counter[str](), defaultdict[str, list[float]](list)
    wrong = list[str]()
    with running_cluster(LOUDNESS_MODELS) as cluster:
        for _ in range(number):
            victim = cluster.replicas[0].pid
            heard, killed = asyncio.run(resume_all(cluster, each))
            for one in heard:
                moved[one.wire] += [when - killed for when in one.went_on]
                right[one.wire] += one.words == SAID and not one.failures
                if one.words != SAID or one.failures:
                    wrong.append(f"{one.wire}: {' '.join(one.words)} {one.failures}")
            cluster.wait_for_replicas(but=victim)
    lines = [f"{'wire':<24}{'sessions':>9}{'right':>8}{'went on':>9}{'at the latest':>15}"]
    for wire, times in moved.items():
        lines.append(f"{wire:<24}{number * each:>9}{right[wire]:>8}{len(times):>9}{max(times, default=0.0):>13.2f} s")
    sys.stdout.write("\n".join([*lines, *wrong]) + "\n")
    sys.stdout.flush()
    return not wrong


async def transcribe_all(cluster: Cluster) -> list[str]:
    """The texts of 16 recordings, or what went wrong; one replica is killed when the first is done."""
    recording = clips.path("jfk")
    async with openai.AsyncOpenAI(base_url=f"{cluster.url}/v1", api_key="any", max_retries=8, timeout=300) as client:

        async def one() -> str:
            try:
                answer = await client.audio.transcriptions.create(file=recording, model="whisper-1")
            except openai.OpenAIError as error:
                return repr(error)
            return answer.text.strip()

        await asyncio.gather(one(), one())  # the models are loaded
        waiting = [asyncio.create_task(one()) for _ in range(16)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        cluster.replicas[0].kill()
        return list(await asyncio.gather(*waiting))


def starter() -> bool:
    """Print what came of the recordings; whether all were transcribed alike."""
    with running_cluster("asr=whisper-tiny.en", store.cache_folder()) as cluster:
        texts = Counter(asyncio.run(transcribe_all(cluster)))
    for text, times in texts.items():
        sys.stdout.write(f"{times} recordings: {text}\n")
    return len(texts) == 1 and "ask not" in next(iter(texts))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--resumes", type=int, default=3)
    parser.add_argument("--starter", action="store_true")
    parser.add_argument("--no-tests", action="store_true")
    options = parser.parse_args()
    failed = 0
    if not options.no_tests:
        failed = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/cluster"], cwd=ROOT).returncode
    late = options.kills > 0 and not kills(options.kills, options.each)
    lost = options.resumes > 0 and not resumes(options.resumes, each=2)
    wrong = options.starter and not starter()
    return 1 if failed or late or lost or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
