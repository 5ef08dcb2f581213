"""One import in full: what happened, what to do, what came of its jobs; and the imports of a feed, a line each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from jobferry.cli.outcomes import ENDED, FINE, counts, exit_status, failed_data, import_data, words, worst
from jobferry.cli.screen import duration, pairs, table, text
from jobferry.cli.stack import Stack
from jobferry.notices import advice
from jobferry.notices.failures import Failing, Failures, collect, failing_jobs, place, said
from jobferry.notices.findings import Findings
from jobferry.records.imports import Import, State
from jobferry.text import counted, day, when

#: Failed jobs that are shown unless all are asked for; postings that are shown at all.
SHOWN: Final = 25
#: Characters of a text that is shown as far as the screen lets it.
_WHOLE: Final = 10_000
#: Why an import was skipped.
_SKIPPED_BRIEFLY: Final = {
    "open": "an import was still open",
    "fewer-parts": "the feed needed fewer imports",
    "abandoned": "the run was cut off",
}
# The command line is what the advice speaks of, so it need not say where its commands go.
_WHERE: Final = re.compile(r",? in AWS CloudShell or a terminal with the AWS CLI")


def history(records: Iterable[Import]) -> list[str]:
    """A table, newest first."""
    header = ("IMPORT", "STATE", "JOBS", "ADDED", "UPDATED", "UNCHANGED", "FAILED", "INVALID", "DELETED", "WITHHELD")
    return table(header, (_row(each) for each in records))


def _row(record: Import) -> list[object]:
    names = ("added", "updated", "unchanged", "failed")
    known = record.state is State.COMPLETE
    return [
        record.import_id,
        _state(record),
        record.prepared.jobs,
        *(record.result.count(name) if known else None for name in names),
        record.prepared.invalid,
        record.result.count("deleted") if known else None,
        record.deletions.withheld,
    ]


def _state(record: Import) -> str:
    if record.state is State.SKIPPED and record.ending.cause in _SKIPPED_BRIEFLY:
        return f"{record.state} ({_SKIPPED_BRIEFLY[record.ending.cause]})"
    if record.state in ENDED - {State.COMPLETE, State.SKIPPED}:
        return f"{record.state} ({advice.headline(record, Failures()).removeprefix('nothing was sent, ')})"
    return record.state.value


def describe(findings: Findings, run: Sequence[Import], stack: Stack, shown: int | None) -> Iterator[str]:
    """An import for a person.

    Args:
        findings: the import.
        run: it, and the further imports of the run that it begins.
        stack: names for what is to be done.
        shown: how many of the failed jobs; None: all.
    """
    record = findings.record
    ended = record.state in ENDED - {State.SKIPPED}
    failures = collect(record, findings.failed, findings.invalid, findings.previously)
    headline = advice.headline(record, failures) if ended else words(record)
    if (other := worst(run)) is not record:
        headline = f"of its run, {other.import_id} is {words(other)}"
    yield from text(headline, "    ", f"{record.import_id}: ")
    yield ""
    yield from pairs(_facts(record, run, stack, failures))
    if ended:
        yield from ("", "What happened to this import" if len(run) > 1 else "What happened")
        yield from text(_plainly(advice.happened(record, failures)))
    if steps := _steps(record, run, failures, stack):
        yield from ("", "What to do")
    for step in steps:
        yield from text(_plainly(step.text), "    ", "  - ")
        if step.command:
            yield f"      {step.command}"
    if ended:
        yield from _deletions(record, stack)
    for heading, number, taken in (
        ("Failed", failures.total, False),
        ("Taken by the board, but look again", failures.taken, True),
    ):
        if not number:
            continue
        cut = shown is not None and number > shown
        yield from ("", f"{heading} ({number:,}{f', the first {shown}; --all shows all' if cut else ''})")
        jobs = failing_jobs(record, findings.failed, findings.invalid)
        for failing in islice((each for each in jobs if each.taken is taken), shown):
            yield from _job(failing, record)


def _steps(record: Import, run: Sequence[Import], failures: Failures, stack: Stack) -> list[advice.Step]:
    """What to do; what is to be done about other imports of the run is told where one looks at them."""
    others = [
        advice.Step(
            f"Look at {each.import_id}, another import of this run: {each.state}.",
            stack.command(f"show {each.import_id}"),
        )
        for each in run
        if each is not record and exit_status(each) != FINE
    ]
    if record.state not in ENDED - {State.SKIPPED} or (others and exit_status(record) == FINE):
        return others
    if record.ending.cause == "paused":
        return [advice.Step("Nothing. To send the feed again:", stack.command(f"resume {record.feed}"))]
    return others + advice.steps(record, failures, stack.steps)


def _facts(record: Import, run: Sequence[Import], stack: Stack, failures: Failures) -> dict[str, str | None]:
    took = record.result.settled_at - record.created_at if record.result.settled_at else None
    unconfirmed = "not yet confirmed by the board" if record.open else "not confirmed by the board"
    confirmed = "confirmed by the board" if record.result.verified else unconfirmed
    deletes = "without deletions"
    if record.deletions.delete_jobs:
        deletes = f"with deletions, {record.deletions.expected:,} expected"
    elif record.deletions.withheld:
        deletes = (
            f"without deletions, {record.deletions.withheld:,} withheld: {advice.briefly(record.deletions.because)}"
        )
    source = record.retry or (record.prepared.sources[0]["key"] if record.prepared.sources else None)
    more = f" and {counted(record.prepared.objects - 1, 'more object')}" if record.prepared.objects > 1 else ""
    return {
        "state": worst(run).state.value,
        "begun": when(record.created_at),
        "result": f"after {duration(took.total_seconds())}, by {record.result.settled_by}, {confirmed}"
        if took
        else None,
        "sent": f"{counted(record.prepared.jobs, 'job')}, {deletes}" if record.sent.submitted_at else None,
        "counts": counts(record) if record.state is State.COMPLETE else None,
        "invalid": f"{record.prepared.invalid:,}, see below" if record.prepared.invalid else None,
        "warnings": f"{record.prepared.warnings:,}" if record.prepared.warnings else None,
        "mended": f"{failures.mended:,} that failed before" if failures.mended else None,
        "retry of" if record.retry else "feed": f"{source}{more}" if source else None,
        "archive": f"s3://{stack.bucket_name}/{record.prepared.payload}" if record.prepared.payload else None,
        "board": record.destination.board,
        "its id": record.sent.board_import_id,
        "run": _run(record, run),
    }


def _run(record: Import, run: Sequence[Import]) -> str | None:
    if record.run:
        return f"a further import of {record.run}"
    if record.parts == 1:
        return None
    jobs, failed = sum(each.prepared.jobs for each in run), sum(each.result.count("failed") for each in run)
    return f"{record.parts:,} imports, this is the first; all together {counted(jobs, 'job')}, {failed:,} failed"


def _deletions(record: Import, stack: Stack) -> Iterator[str]:
    """The postings that the advice sends people to, under the words that it has for them."""
    title, number = advice.deletions(record)
    if not number or not record.deletions.postings:
        return
    postings = record.deletions.postings[:SHOWN]
    more = f"; all of them: {stack.command(f'report {record.import_id}')}" if number > len(postings) else ""
    yield from ("", f"{title.upper()} ({_first_of(len(postings), number)}{more})")
    yield from _postings((each.reference_number, each.title) for each in postings)


def _postings(rows: Iterable[tuple[str, str | None]]) -> list[str]:
    return [f"  {line}" for line in table(("POSTING", "TITLE"), rows)]


def _first_of(shown: int, number: int) -> str:
    return f"{number:,}" if shown >= number else f"the first {shown:,} of {number:,}"


def _job(failing: Failing, record: Import) -> Iterator[str]:
    job = failing.job
    name = ", ".join(filter(None, (job.reference_number or "no reference number", job.title)))
    age = "new" if failing.new or not job.since else f"failing since {day(job.since)}"
    yield from text(f"{name} ({place(job, _WHOLE)}), {age}", "    ", "  - ")
    words = said(job.messages, _WHOLE) or "no reason was given"
    if not failing.by_board:
        who = "taken by the board, but looks wrong" if failing.taken else "not sent"
    else:
        who = "the board says" if record.result.verified else "the callback says"
    yield from text(f"{who}: {words}", "      ")
    if failing.found:
        yield from text(f"to mend: {said(failing.found, _WHOLE)}", "      ")


def _plainly(said: str) -> str:
    return _WHERE.sub("", said)


def preview(found: Mapping[str, Any]) -> list[str]:
    """What a dry run answered, for a person."""
    lines = []
    if found.get("reason"):
        lines += text(found["reason"], "    ", "Nothing would be sent: ")
    else:
        deletes = "without deletions"
        if found.get("deleteJobs"):
            deletes = f"with {counted(found['deletes'], 'deletion')}"
        elif found.get("withheldDeletes"):
            deletes = f"with {counted(found['withheldDeletes'], 'deletion')} withheld"
        lines.append(f"{counted(found['jobs'], 'job')} would be sent, {deletes}.")
        because = advice.briefly(found.get("withheldBecause") or [])
        lines += pairs({"because": because, "code": found.get("confirmCode")})
    problems = found.get("problems") or []
    if problems:
        lines += ["", f"To mend ({found['invalid']:,})"]
    for each in problems:
        row = f" row {each['row']}" if each.get("row") is not None else ""
        name = f" ({each['referenceNumber']})" if each.get("referenceNumber") else ""
        lines += text(f"{each['key']}{row}{name}: {said(each['messages'], _WHOLE)}", "      ", "  ")
    postings = found.get("firstDeletes") or []
    if postings:
        number = found.get("deletes") or found.get("withheldDeletes") or len(postings)
        heading = "Would go" if found.get("deleteJobs") else "Not in the feed any more"
        lines += ["", f"{heading} ({_first_of(len(postings), number)})"]
        lines += _postings((each["referenceNumber"], each["title"]) for each in postings)
    return lines


def data(findings: Findings, run: Sequence[Import], stack: Stack) -> dict[str, Any]:
    """The same for programs, with every failed job."""
    record = findings.record
    failures = collect(record, findings.failed, findings.invalid, findings.previously)
    steps = _steps(record, run, failures, stack)
    return {
        "import": import_data(record),
        "run": [import_data(each) for each in run],
        "failed": failed_data(findings.failed),
        "invalid": failed_data(findings.invalid),
        "whatToDo": [{"text": _plainly(each.text), "command": each.command} for each in steps],
    }
