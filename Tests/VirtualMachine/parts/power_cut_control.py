"""The same with a disk that lies about flushes."""

from harness.lives import run_lives
from parts.power_cut import see_commands

WHAT = "the control: power cuts of a disk that ignores flushes lose readings, so the part power-cut can fail"
CUTS = 4


def run(bench, checks):
    ledger, arrived = run_lives(bench, checks, CUTS, honest=False, keep=0.0)
    missing = sorted(ledger.must_arrive - arrived)
    checks.that(missing or ledger.troubles, "readings older than persist_after are lost, and it is seen",
                f"{len(missing)} of {len(ledger.must_arrive)}")
    see_commands_of_liar(ledger, checks)


def see_commands_of_liar(ledger, checks):
    # Told, not asked for: whether a command comes again depends on the moment of the cut.
    class Quiet:
        def __init__(self):
            self.seen = []

        def that(self, condition, what, detail=""):
            self.seen.append(f"{'holds' if condition else 'is broken'}: {what} {detail}")

    quiet = Quiet()
    see_commands(ledger, quiet)
    for line in quiet.seen:
        checks.note(line)
