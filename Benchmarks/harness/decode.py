"""Decoding alone, from memory: `baudgate-bench`, and Benchmarks/c-gateway/decode.c for the plain formats."""

import subprocess

from .processes import BenchmarkError

FORMATS = ("template", "csv", "key_value", "json", "modbus")
C_FORMATS = ("template", "csv", "modbus")


def measure_once(program, format_, seconds):
    """Lines or answers, and bytes, for a second of CPU."""
    try:
        done = subprocess.run([program, format_, str(seconds)], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchmarkError(f"decode: {error}: {(getattr(error, 'stderr', None) or '').strip()}")
    items, size, cpu = done.stdout.split()
    return {"items_per_second": int(items) / float(cpu), "bytes_per_second": int(size) / float(cpu)}


def measure(program, reference, seconds, progress):
    """By format; the two take turns."""
    progress(f"decode: {len(FORMATS)} formats, {seconds} s each")
    found = {}
    for format_ in FORMATS:
        found[format_] = {"baudgated": measure_once(program, format_, seconds)}
        if format_ in C_FORMATS:
            found[format_]["C program"] = measure_once(reference, format_, seconds)
    return found
