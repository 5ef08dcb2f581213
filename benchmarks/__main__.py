"""Measure everything side by side, print the table and write docs/performance.md: `make bench`.

Every measure is taken once in each round and compared with the reference of the same round, so that other load on the
machine affects all alike. Times are processor time (user and system) of one process on one core.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pydantic

from benchmarks import contestants, feeds
from benchmarks.memory import MILLION, peak
from jobferry.feeds.settings import FeedSettings
from jobferry.payload.payload import Payload

REPORT = Path(__file__).parent.parent / "docs" / "performance.md"
#: Peak memory is compared for 200,000 and 10,000 jobs, if 50,000 are timed.
LARGE, SMALL = 4, 1 / 5
MB = 1_000_000


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        measure: its name.
        values: one for each round.
        target: in words; "" if there is none.
        met: whether the median meets the target.
        seconds: the median; 0 if the measure is not a time.
    """

    measure: str
    values: list[float]
    target: str
    met: bool | None
    seconds: float = 0


def timed(action: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    action()
    return time.process_time() - begin


def times(folder: Path, count: int, rounds: int) -> list[Row]:
    """Time every measure in every round."""
    writers = {
        "jobs.jsonl": feeds.write_jsonl,
        "jobs.json": feeds.write_array,
        "jobs.csv": feeds.write_csv,
        "jobs.xml": feeds.write_xml,
        "mapped.jsonl": feeds.write_mapped_jsonl,
        "excel.csv": feeds.write_excel_csv,
    }
    for name, write in writers.items():
        write(folder / name, count)
    plain, mapped = FeedSettings(), FeedSettings(fields=feeds.MAPPED)
    out = folder / "payload"
    built: list[Payload] = []

    def build(name: str, settings: FeedSettings = plain) -> None:
        payload = contestants.build(folder / name, out, settings)
        assert (payload.jobs, payload.invalid) == (count, 0), "the feed has problems"
        built[:] = [payload]

    measures: dict[str, Callable[[], object]] = {
        "reference": lambda: contestants.reference(folder / "jobs.jsonl"),
        "reference, written": lambda: contestants.reference_written(folder / "jobs.jsonl", out),
        "JSONL": lambda: build("jobs.jsonl"),
        "archive": lambda: contestants.archive(built[0]),  # of the JSONL feed, which was built before
        "JSON array": lambda: build("jobs.json"),
        "CSV": lambda: build("jobs.csv"),
        "XML": lambda: build("jobs.xml"),
        "JSONL with mapped fields": lambda: build("mapped.jsonl", mapped),
        "CSV as Excel saves it": lambda: build("excel.csv", mapped),
        "JSONL without the shortcut": lambda: contestants.without_shortcut(build, "jobs.jsonl"),
        "check alone": lambda: contestants.check_alone(folder / "jobs.jsonl"),
        "csv alone": lambda: contestants.csv_alone(folder / "jobs.csv"),
        "lxml alone": lambda: contestants.lxml_alone(folder / "jobs.xml"),
        "naive": lambda: contestants.naive(folder / "jobs.json", out),
    }
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        for name, measure in measures.items():
            if name != "archive":  # it needs what was built before
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
            seconds[name].append(timed(measure))
        print(
            f"round {number + 1} of {rounds}: "
            + ", ".join(f"{name} {each[-1]:.2f} s" for name, each in seconds.items()),
            file=sys.stderr,
            flush=True,
        )

    def ratio(name: str, to: str) -> list[float]:
        return [mine / theirs for mine, theirs in zip(seconds[name], seconds[to], strict=True)]

    def row(measure: str, name: str, to: str, most: float | None) -> Row:
        values = ratio(name, to)
        met = None if most is None else statistics.median(values) <= most
        return Row(measure, values, "" if most is None else f"≤ {most:.1f}", met, statistics.median(seconds[name]))

    faster = ratio("naive", "JSON array")
    return [
        Row("the reference itself", [1.0], "", None, statistics.median(seconds["reference"])),
        row("the reference, its output written to a file", "reference, written", "reference", None),
        row("JSONL", "JSONL", "reference", 2.1),
        row("JSON array", "JSON array", "reference", 2.1),
        row("CSV", "CSV", "reference", 3.5),
        row("XML", "XML", "reference", 5.0),
        row("JSONL with mapped fields", "JSONL with mapped fields", "reference", 2.5),
        row("CSV as Excel saves it (mapped, four values of each row corrected)", "CSV as Excel saves it", "reference", 6.0),
        row("the gzip archive, on top of JSONL, in JSONL's time", "archive", "JSONL", 1.0),
        row("JSONL without the shortcut", "JSONL without the shortcut", "reference", None),
        row("JSONL, only the check of each job", "check alone", "reference", None),
        row("CSV, only Python's csv", "csv alone", "reference", None),
        row("XML, only lxml, no field read", "lxml alone", "reference", None),
        row("the naive peer", "naive", "reference", None),
        Row("JSON array, times faster than the naive peer", faster, "", None),
    ]  # fmt: skip


def memory(folder: Path, count: int) -> list[tuple[str, float, float, bool]]:
    """Return, for each format, the peaks of the small and the large feed in MB, and whether they meet the targets."""
    found = []
    for name, write in (
        ("jobs.jsonl", feeds.write_jsonl),
        ("jobs.json", feeds.write_array),
        ("jobs.csv", feeds.write_csv),
        ("jobs.xml", feeds.write_xml),
    ):
        path = folder / name
        peaks = []
        for jobs in (int(count * SMALL), count * LARGE):
            write(path, jobs)
            peaks.append(peak(path) / MB)
        path.unlink()
        small, large = peaks
        found.append((name, small, large, large / small <= 1.15 and large < 150))
        print(f"memory of {name}: {small:.0f} MB, {large:.0f} MB", file=sys.stderr, flush=True)
    return found


def spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def report(
    rows: list[Row], peaks: list[tuple[str, float, float, bool]], million: float, count: int, rounds: int
) -> str:
    """Return the page, which the terminal shows, too."""

    def word(met: bool | None) -> str:
        return "" if met is None else "yes" if met else "**no**"

    machine = (
        f"Python {platform.python_version()}, pydantic {pydantic.VERSION}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )
    lines = [
        "# Performance",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
        "",
        f"{count:,} generated jobs of about 3 KB, {rounds} rounds, processor time on one core. Ratios are to the reference of the",
        "same round: `pydantic_core.from_json` and `to_json` for each line of the JSONL feed, without a check and without writing.",
        "A build reads the objects, checks every field of every job, compares reference numbers and writes the jobs to a file, ready",
        "for the request.",
        "",
        "| measure | ratio: median (min to max) | target | met | seconds | jobs a second |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        rate = f"{count / row.seconds:,.0f}" if row.seconds else ""
        seconds = f"{row.seconds:.2f}" if row.seconds else ""
        lines.append(f"| {row.measure} | {spread(row.values)} | {row.target} | {word(row.met)} | {seconds} | {rate} |")
    lines += [
        "",
        "A build of JSONL spends most of its time on the check and on writing. Python's own csv instead of the splitting of rows in",
        "`feeds/formats/delimited.py` would take a third more for CSV. XML is read with lxml alone. The shortcut in",
        "`jobs/clean_json.py` saves the difference between the rows JSONL and JSONL without the shortcut. The first targets were lower:",
        "[decisions.md](decisions.md) says what the later checks cost.",
        "",
        f"Peak memory of a process that builds one feed and its archive, with {int(count * SMALL):,} and {count * LARGE:,} jobs. The targets are",
        "a ratio of at most 1.15 and less than 150 MB.",
        "",
        "| feed | small | large | ratio | met |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {small:.0f} MB | {large:.0f} MB | {large / small:.2f} | {word(met)} |"
            for name, small, large, met in peaks
        ),
        "",
        f"A million reference numbers take {million:.0f} MB. One that several rows have takes half a kilobyte until they are compared.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measures feeds, side by side.")
    parser.add_argument("--jobs", type=int, default=50_000, help="of each feed that is timed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance.md as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jobferry-bench-") as directory:
        folder = Path(directory)
        rows = times(folder, options.jobs, options.rounds)
        for path in folder.glob("*.*"):
            path.unlink()
        peaks = memory(folder, options.jobs)
    million = (peak(MILLION) - peak("")) / MB
    page = report(rows, peaks, million, options.jobs, options.rounds)
    print(page)
    if not options.no_report:
        REPORT.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
