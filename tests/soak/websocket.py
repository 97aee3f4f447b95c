"""The Autobahn suite's WebSocket cases, all of them, against an echo on the server's WebSockets.

`scripts/soak websocket [--cases '9.*']`. It prints how many ended in which way, and each that did not end as
tests/support/websocket_cases.py expects; then it fails.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections import Counter

from support.websocket_cases import run_cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="*", default=None)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # connections that a case leaves open are cut at the end
    cases = asyncio.run(run_cases(parser.parse_args().cases))
    counts = Counter((case.name.split(".")[0], case.messages, case.close) for case in cases)
    for (section, messages, close), count in sorted(counts.items(), key=lambda one: int(one[0][0])):
        sys.stdout.write(f"section {section}: {count} {messages}, close {close}\n")
    unexpected = [case for case in cases if not case.expected]
    for case in unexpected:
        sys.stdout.write(f"{case.name} {case.messages}, close {case.close}: {case.detail}\n")
    sys.stdout.write(f"{len(cases)} cases, {len(unexpected)} not as expected\n")
    return 1 if unexpected or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
