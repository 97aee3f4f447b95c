"""Hostile inputs with fixed seeds against real servers with scripted engines: HTTP, sockets, recordings, model files.

`scripts/soak hostile [--count 100000] [--seed 1] [--only FAMILY[:NUMBER]] [--minutes M] [--judge-latency]`. Two
servers are attacked, a plain one with every wire and one with TLS, while a client of each wire goes on talking. It
fails where an answer is a failure of the server, a session dies without a close, a control client misses its words, a
log tells of an error, or memory, descriptors or temporary files stay. Each finding comes with the command that repeats
it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from support.hostile.run import HostileRun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="one family, or one of its inputs, as a finding names it")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no attack after that time")
    parser.add_argument(
        "--judge-latency", action="store_true", help="fail where /health takes over 50 ms: p99, idle machine"
    )
    options = parser.parse_args()
    verdict = asyncio.run(HostileRun(options.count, options.seed, options.only, minutes=options.minutes).run())
    wrong = verdict.wrong + (verdict.slow if options.judge_latency else [])
    for line in (*verdict.lines, f"inputs: {dict(verdict.sent)}", f"{len(wrong)} findings", *wrong[:50]):
        sys.stdout.write(f"{line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
