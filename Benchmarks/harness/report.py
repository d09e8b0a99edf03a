"""The table."""

from dataclasses import dataclass
from typing import Optional


@dataclass
class Row:
    """A figure of the daemon, of the C program where it has one, and the aim."""

    figure: str
    daemon: Optional[float]
    reference: Optional[float] = None
    aim: Optional[float] = None  # the highest value that is good
    unit: str = ""
    digits: int = 1
    aim_is_ratio: bool = False

    @property
    def ratio(self):
        if self.daemon is None or not self.reference:
            return None
        return self.daemon / self.reference

    @property
    def met(self):
        value = self.ratio if self.aim_is_ratio else self.daemon
        if self.aim is None or value is None:
            return None
        return value <= self.aim

    def number(self, value):
        return "" if value is None else f"{value:.{self.digits}f} {self.unit}".strip()

    def cells(self):
        aim = ""
        if self.aim is not None:
            aim = f"≤ {self.aim:g} ×" if self.aim_is_ratio else f"≤ {self.aim:g} {self.unit}".strip()
            if self.met is not None:
                aim += " met" if self.met else " MISSED"
        ratio = f"{self.ratio:.2f} ×" if self.ratio is not None else ""
        return [self.figure, self.number(self.daemon), self.number(self.reference), ratio, aim]

    def as_dictionary(self):
        names = ("figure", "daemon", "reference", "unit", "ratio", "aim", "aim_is_ratio", "met")
        return {name: getattr(self, name) for name in names}


MEGABYTE = 1e6
KIBIBYTE = 1024


def rows(results):
    """The table's rows from the results of the parts that ran."""
    found = []
    if load := results.get("load"):
        daemon, reference = load["baudgated"], load["C program"]

        def pair(figure, key, scale=1.0, **options):
            found.append(Row(figure, daemon[key] / scale, reference[key] / scale, **options))

        pair("CPU per 100,000 lines", "cpu_seconds_per_100k", unit="s", digits=3, aim=2, aim_is_ratio=True)
        pair("wake-ups per 1,000 lines", "wake_ups_per_1k", digits=0)
        pair("PSS under load", "pss", MEGABYTE, unit="MB")
        pair("peak RSS under load", "peak_rss", MEGABYTE, unit="MB")
    for receiver, rate in results.get("rate", {}).items():
        daemon, reference = rate["baudgated"], rate["C program"]
        found.append(Row(
            f"CPU, 4 × 115,200 baud, {receiver}", daemon["cpu_percent"], reference["cpu_percent"], unit="%", aim=2,
            aim_is_ratio=True))
        found.append(Row(
            f"wake-ups per second, {receiver}", daemon["wake_ups_per_second"], reference["wake_ups_per_second"], digits=0))
        found.append(Row(
            f"lost of {daemon['lines']:,} lines, {receiver}", daemon["lost"], reference["lost"], digits=0, aim=0))
    if modbus := results.get("modbus"):
        daemon, reference = modbus["baudgated"], modbus["C program"]
        for figure, key, options in (
                ("Modbus questions per second", "requests_per_second", {"digits": 0}),
                ("CPU per 1,000 Modbus questions", "cpu_ms_per_1k", {"unit": "ms", "aim": 2, "aim_is_ratio": True}),
                ("wake-ups per Modbus question", "wake_ups_per_request", {})):
            found.append(Row(figure, daemon[key], reference[key], **options))
    if idle := results.get("idle"):
        daemon, reference = idle["baudgated"]["online"], idle.get("C program", {}).get("online", {})
        offline = idle["baudgated"]["offline"]

        def idle_row(figure, key, scale=1.0, **options):
            other = reference.get(key)
            found.append(Row(figure, daemon[key] / scale, None if other is None else other / scale, **options))

        idle_row("wake-ups per second, 1 line/s", "wake_ups_per_second", aim=5)
        idle_row("CPU per second, 1 line/s", "cpu_ms_per_second", unit="ms", digits=2)
        idle_row("PSS, 1 line/s", "pss", MEGABYTE, unit="MB", aim=12)
        idle_row("RSS, 1 line/s", "rss", MEGABYTE, unit="MB")
        idle_row("peak RSS (VmHWM), 1 line/s", "peak_rss", MEGABYTE, unit="MB")
        idle_row("disk bytes per sample, online", "disk_bytes_per_sample", unit="B", aim=1)
        found.append(Row("disk bytes per sample, offline", offline["disk_bytes_per_sample"], unit="B", digits=0))
        found.append(Row("wake-ups per second, offline", offline["wake_ups_per_second"]))
    if commands := results.get("commands"):
        daemon, reference = commands["baudgated"], commands["C program"]
        for figure, key, aim in (
                ("command to line, p50", "line_p50", 1.3), ("command to line, p99", "line_p99", None),
                ("command to reply, p50", "reply_p50", 1.3), ("command to reply, p99", "reply_p99", None)):
            found.append(Row(
                figure, daemon[key], reference[key], unit="ms", digits=2, aim=aim, aim_is_ratio=aim is not None))
    for situation, day in results.get("volume", {}).items():
        found.append(Row(f"requests a day, {situation}", day["requests"], digits=0))
        found.append(Row(f"bytes a day, {situation}", day["bytes"] / MEGABYTE, unit="MB", digits=2))
    found += [row for situation in results.get("devices", {}).items() for row in device_rows(*situation)]
    if ready := results.get("ready"):
        found.append(Row(f"exec to READY=1, median of {ready['starts']}", ready["median_ms"], unit="ms", aim=50))
    if size := results.get("size"):
        found.append(Row("stripped program", size / MEGABYTE, unit="MB", aim=12))
    return found


def device_rows(situation, measured):
    """What one more of many devices costs, which has an aim."""
    return [
        Row(f"PSS per device, {situation}, {state}", measured[state]["per_device"] / KIBIBYTE, unit="KB", aim=40)
        for state in ("idle", "1 value/s") if "per_device" in measured[state]
    ]


def device_table(results):
    """What a process with many devices has and does; `None` where that was not measured."""
    if not (situations := results.get("devices")):
        return None
    lines = [["devices", "PSS", "RSS", "CPU", "wake-ups", "requests", "connections", "descriptors", "threads"]]
    for situation, measured in situations.items():
        for state in ("idle", "1 value/s"):
            seen = measured[state]
            lines.append([
                f"{situation}, {state}", f"{seen['pss'] / MEGABYTE:.1f} MB", f"{seen['rss'] / MEGABYTE:.1f} MB",
                f"{seen['cpu_ms_per_second']:.1f} ms/s", f"{seen['wake_ups_per_second']:.1f}/s",
                f"{seen['requests_per_second']:.1f}/s",
                *(f"{seen[count]}" for count in ("connections", "descriptors", "threads"))])
    return aligned(lines)


def decode_table(results):
    """What decoding alone takes; the ratio is that of the times."""
    if not (formats := results.get("decode")):
        return None
    lines = [["decoding alone", "lines or answers", "bytes", "C program", "ratio"]]
    for format_, measured in formats.items():
        own, reference = measured["baudgated"], measured.get("C program")
        lines.append([
            format_, f"{own['items_per_second'] / 1e6:.2f} M/s", f"{own['bytes_per_second'] / MEGABYTE:.1f} MB/s",
            f"{reference['items_per_second'] / 1e6:.2f} M/s" if reference else "",
            f"{reference['items_per_second'] / own['items_per_second']:.2f} ×" if reference else ""])
    return aligned(lines)


def tables(results):
    """Tables of their own."""
    return [table for table in (decode_table(results), device_table(results)) if table]


def note(results):
    """What makes the figures look better than they are; `None` where nothing does."""
    spans = [span for program in results.get("idle", {}).values() for span in program.values()]
    most = max((span["libcurl_sharers"] for span in spans), default=0)
    if not most:
        return None
    return f"Up to {most} other processes had libcurl loaded: PSS is smaller than it would be alone."


def table(found):
    return aligned([["figure", "baudgated", "C program", "ratio", "aim"]] + [row.cells() for row in found], "l")


def aligned(lines, last="r"):
    """Lines of cells as text, the first of them a heading; `last` is the side the last column keeps to."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for line in lines:
        first, *rest = (cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths)))
        text.append("  ".join([first, *rest[:-1], line[-1] if last == "l" else rest[-1]]).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    return "\n".join(text)
