"""How many Macs live sessions need, from step times: a model, and its simulation to 10,000 sessions.

`scripts/soak capacity [--live S] [--turn-end S] [--idle S] [--limit S] [--sessions N ...]`. It computes, and measures
nothing: step times are parameters. The same parameters print the same table. Status 1: a simulated cluster refused more
than twice what Erlang's formula allows, or its turns were later than the limit on average.
"""

from __future__ import annotations

import argparse
import math
import sys

from support.capacity import ClusterSimulation, Load, Outcome, seats_for

SESSIONS = (10, 100, 1000, 10000)
REFUSED = 0.001
"""Share of sessions that may find no seat."""
SPARE = 1.5
"""Seats of a Mac (max_sessions) for each session that is planned: Macs do not get sessions evenly."""
WARM_UP, SECONDS = 3000.0, 300.0
"""Simulated. The former is five times the length of a session: the cluster is full then."""
HEAD = "sessions    Macs  seats   used   planned     even     mean      p50      p95      p99   refused"


def row(load: Load, limit: float, offered: int) -> tuple[str, bool]:
    """The line of a number of sessions, and whether the simulation kept to the limits."""
    planned = max(1, load.sessions(limit))
    seats = math.ceil(SPARE * planned)
    macs = math.ceil(seats_for(offered, REFUSED) / planned)
    outcome = ClusterSimulation(load, macs, seats, float(offered)).run(SECONDS, WARM_UP)
    each = offered / macs
    times = [
        load.delay(each),
        load.steady_delay(each),
        outcome.mean,
        *(outcome.percentile(share) for share in (0.5, 0.95, 0.99)),
    ]
    refused = outcome.refused / max(1, outcome.asked)
    line = f"{offered:>8}{macs:>8}{seats:>7}{load.used(each):>7.2f} "
    line += "".join(f"{time:>8.2f}s" for time in times) + f"{100 * refused:>9.2f}%"
    return line, kept(outcome, limit)


def kept(outcome: Outcome, limit: float) -> bool:
    """Whether a simulation kept to the limits; some sessions more may be refused than expected, by chance."""
    return outcome.refused <= 2 * REFUSED * outcome.asked + 3 and outcome.mean <= limit


def main() -> int:
    defaults = Load()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=float, default=defaults.idle, help="engine seconds per second of a session")
    parser.add_argument("--live", type=float, default=defaults.live, help="engine seconds per second of speech")
    parser.add_argument("--turn-end", type=float, default=defaults.turn_end, help="engine seconds per end of a turn")
    parser.add_argument("--limit", type=float, default=1.0, help="mean seconds from a turn's end to its transcript")
    parser.add_argument("--sessions", type=int, nargs="+", default=SESSIONS)
    options = parser.parse_args()
    load = Load(idle=options.idle, live=options.live, turn_end=options.turn_end)
    sys.stdout.write(
        f"idle {load.idle:g} s/s, live {load.live:g} s/s of speech, turn end {load.turn_end:g} s; turns of "
        f"{load.speech:g} s with pauses of {load.pause:g} s; limit {options.limit:g} s\n\n{HEAD}\n"
    )
    good = True
    for offered in options.sessions:
        line, fine = row(load, options.limit, offered)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        good &= fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
