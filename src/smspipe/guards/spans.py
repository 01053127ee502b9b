"""Spans of time in words."""

from datetime import timedelta


def spell(span: timedelta) -> str:
    """Write a span for a person, in its largest whole unit: `45 s`, `4 min`, `3 h`, `12 days`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("days", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= size:
            return f"{seconds // {'days': 86_400, 'h': 3_600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"
