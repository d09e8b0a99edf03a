"""Power cuts at chosen disk commands."""

import collections
import re

from harness.lives import PERSIST_AFTER, PERSIST_EVERY, SLACK, run_lives

WHAT = "20 power cuts at chosen disk commands: nothing lost beyond persist_after, no command twice, the queue opens"


def run(bench, checks):
    ledger, arrived = run_lives(bench, checks, bench.cuts)
    checks.that(not ledger.troubles, "after every cut disk, daemon and queue come up",
                f"{len(ledger.troubles)} did not" if ledger.troubles else "")
    checks.note(f"{ledger.quarantined} damaged records were put aside")
    see_readings(ledger, arrived, checks)
    see_commands(ledger, checks)
    see_pulses(ledger, checks)


def see_readings(ledger, arrived, checks):
    missing = sorted(ledger.must_arrive - arrived)
    checks.that(ledger.must_arrive, "readings were older than persist_after at their cut", len(ledger.must_arrive))
    checks.that(not missing, "none of them is lost", f"{len(missing)}: {missing[:10]}" if missing else "")
    lost = {number: age for number, age in ledger.may_be_lost.items() if number not in arrived}
    if lost:
        checks.note(f"{len(lost)} of {len(ledger.may_be_lost)} younger ones are, the oldest {max(lost.values()):.1f} s old "
                    f"(persist_after {PERSIST_AFTER:.0f} s and {SLACK:.0f} s for the way)")


def see_commands(ledger, checks):
    written = collections.Counter(int(number) for number in re.findall(r"<(\d+)>", ledger.heard))
    twice = [number for number, count in written.items() if count > 1]
    outcomes = collections.Counter(ledger.commands.values())
    checks.that(not twice, f"none of {len(ledger.commands)} commands was carried out twice", twice or dict(outcomes))
    empty = [number for number, outcome in ledger.commands.items() if outcome == "done" and not written[number]]
    checks.that(not empty, "none was answered as done without having been", empty or "")
    odd = set(outcomes) - {"done", "interrupted", "expired", "unanswered"}
    checks.that(not odd, "each was answered with its result or `interrupted`", dict(outcomes))


def see_pulses(ledger, checks):
    losses = [count + made - following for (count, made), (following, _) in zip(ledger.counts, ledger.counts[1:])]
    checks.that(all(loss <= PERSIST_EVERY for loss in losses),
                f"no cut cost more than persist_every, {PERSIST_EVERY}, of {sum(made for _, made in ledger.counts)} pulses", losses)
    # The last pulse of a life may not have been told to the test.
    checks.that(all(loss >= -1 for loss in losses), "none was counted twice", losses if min(losses, default=0) < -1 else "")
