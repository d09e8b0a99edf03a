"""What is printed: preparations, each part's checks, its verdict and how long it took."""

import contextlib
import sys
import time
import traceback


class Report:
    def __init__(self, is_brief=False):
        self._is_brief = is_brief
        self.verdicts = []

    def say(self, text):
        print(text, flush=True)

    @contextlib.contextmanager
    def preparation(self, what):
        begin = time.monotonic()
        print(f"vm-test: {what} …", file=sys.stderr, flush=True)
        yield
        self.say(f"prepared    {what}  ({time.monotonic() - begin:.1f} s)")

    def run(self, name, part, bench):
        """Carries a part out; an exception fails it as a check does."""
        self.say(f"part        {name}: {part.WHAT}")
        begin = time.monotonic()
        checks = Checks(self)
        try:
            part.run(bench, checks)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts follow
            checks.fail("it ran to its end", f"{type(error).__name__}: {error}")
            if not self._is_brief:
                traceback.print_exc()
        verdict = "failed" if checks.failures else "passed"
        took = time.monotonic() - begin
        self.verdicts.append((name, verdict, took, checks))
        self.say(f"{verdict}      {name}  ({took:.1f} s, {checks.count} checks)")

    def summary(self):
        """Prints a line for each part; the exit status."""
        self.say("")
        for name, verdict, took, checks in self.verdicts:
            self.say(f"{verdict}  {name:<18} {took:6.1f} s  {checks.count} checks"
                     + (f", {len(checks.failures)} failed" if checks.failures else ""))
        failed = any(verdict == "failed" for _, verdict, _, _ in self.verdicts)
        self.say("vm-test: " + ("failed" if failed else "all passed"))
        return 1 if failed else 0


class Checks:
    def __init__(self, report):
        self._report = report
        self._last = time.monotonic()
        self.count = 0
        self.failures = []

    def that(self, condition, what, detail=""):
        """Counts and prints it; whether it holds, so that a part may stop where going on makes no sense."""
        if not condition:
            return self.fail(what, detail)
        self.count += 1
        self._print("  ok  ", what, detail if len(str(detail)) < 100 else "")
        return True

    def fail(self, what, detail=""):
        self.count += 1
        self.failures.append(what)
        self._print("  FAIL", what, detail)
        return False

    def note(self, text):
        self._report.say(f"        {text}")

    def _print(self, mark, what, detail):
        now = time.monotonic()
        took, self._last = now - self._last, now
        detail = " ".join(str(detail).split())
        self._report.say(f"{mark}  {what}" + (f": {detail}" if detail else "") + f"  [{took:.1f} s]")
