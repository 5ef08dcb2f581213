"""Show one import in full, the imports of a feed in a table, and what a run would do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final

from jobferry.cli.outcomes import FINE, counts, exit_status, failed_data, import_data, words, worst
from jobferry.cli.screen import pairs, table, text
from jobferry.cli.stack import Stack
from jobferry.cli.understood import understood
from jobferry.notices.advice.causes import advice_on_ending, why_withheld
from jobferry.notices.advice.steps import Step
from jobferry.notices.advice.topics import ENDED
from jobferry.notices.details import ImportDetails
from jobferry.notices.failures import NAMED, Group, join_messages
from jobferry.notices.view import ImportView, JobView, Lengths, heading, view_job, view_posting
from jobferry.records.imports import Import, State
from jobferry.text import counted, day, row_place

#: A terminal shows texts in full.
_WHOLE: Final = 10_000
_LENGTHS: Final = Lengths(*[_WHOLE] * len(Lengths._fields))


def history(records: Iterable[Import]) -> list[str]:
    """Return a table of imports, newest first. If one failed, the reason is on the line below it."""
    records = list(records)
    header, *rows = table(
        ("IMPORT", "STATE", "JOBS", "ADDED", "FAILED", "INVALID", "DELETED", "WITHHELD"), map(_row, records)
    )
    lines = [header]
    for record, row in zip(records, rows, strict=True):
        lines.append(row)
        if record.state in ENDED - {State.COMPLETE} or (record.state is State.SKIPPED and record.ending.cause):
            lines += text(advice_on_ending(record).briefly, "    ")
    return lines


def _row(record: Import) -> list[object]:
    def count(name: str) -> int | None:
        return record.result.count(name) if record.state is State.COMPLETE else None

    return [
        record.import_id,
        record.state.value,
        None if record.state is State.BLOCKED else record.prepared.jobs,
        *map(count, ("added", "failed")),
        record.prepared.invalid,
        record.deleted if record.state is State.COMPLETE else None,
        record.deletions.withheld,
    ]


def describe(details: ImportDetails, run: Sequence[Import], stack: Stack, shown: int | None) -> Iterator[str]:
    """Yield an import for a person.

    Args:
        details: the import.
        run: the import, and the further imports of the run that it begins.
        stack: the stack.
        shown: how many of the failed jobs are shown; None for all.
    """
    view = ImportView.of(details, stack.own_commands)
    record, failures = view.record, view.failures
    headline = view.headline if view.has_ended else words(record)
    if (other := worst(run)) is not record:
        headline = f"{other.import_id} of this run is {words(other)}"
    yield from text(headline, "    ", f"{record.import_id}: ")
    yield ""
    yield from pairs(_facts(view, run))
    if view.has_ended:
        yield from ("", "What happened to this import" if len(run) > 1 else "What happened")
        yield from text(view.happened)
    if steps := _steps(view, run, stack):
        yield from ("", "What to do")
    for step in steps:
        yield from text(step.text, "    ", "  - ")
        if step.command:
            yield f"      {step.command}"
    if view.has_ended:
        yield from _deletions(view, stack)
    for title, number, groups in (
        ("Failed", failures.total, (Group.NEW, Group.KNOWN)),
        ("Published, but check", failures.accepted, (Group.ACCEPTED,)),
    ):
        if number:
            yield from ("", heading(title, number, number if shown is None else shown, "; --all shows all"))
            for failure in islice(view.jobs(*groups), shown):
                yield from _job(view_job(failure, _LENGTHS))


def _steps(view: ImportView, run: Sequence[Import], stack: Stack) -> list[Step]:
    """Return what to do. The other imports of the run have steps of their own."""
    others = [
        Step(
            f"Check {each.import_id}, another import of this run: {each.state}.",
            stack.command(f"show {each.import_id}"),
        )
        for each in run
        if each is not view.record and exit_status(each) != FINE
    ]
    if not view.has_ended or (others and exit_status(view.record) == FINE):
        return others
    return others + view.steps


def _facts(view: ImportView, run: Sequence[Import]) -> dict[str, str | None]:
    record, prepared = view.record, view.record.prepared
    source = record.retry or (prepared.sources[0]["key"] if prepared.sources else None)
    more = f" and {counted(prepared.objects - 1, 'more object')}" if prepared.objects > 1 else ""
    return {
        "state": worst(run).state.value,
        **view.facts,
        "counts": counts(record) if record.state is State.COMPLETE else None,
        "invalid": f"{prepared.invalid:,}, see below" if prepared.invalid else None,
        "warnings": f"{prepared.warnings:,}" if prepared.warnings else None,
        "fixed": f"{view.failures.fixed:,} that failed before" if view.failures.fixed else None,
        "retry of" if record.retry else "feed": f"{source}{more}" if source else None,
        "run": _run(record, run),
    }


def _run(record: Import, run: Sequence[Import]) -> str | None:
    if record.run:
        return f"another import of the run {record.run}"
    if record.parts == 1:
        return None
    jobs, failed = sum(each.prepared.jobs for each in run), sum(each.result.count("failed") for each in run)
    return f"{record.parts:,} imports, and this is the first; in total {counted(jobs, 'job')}, {failed:,} failed"


def _deletions(view: ImportView, stack: Stack) -> Iterator[str]:
    """Yield the postings to which the steps refer, under the title that they use."""
    postings = [view_posting(each, _LENGTHS) for each in view.record.deletions.postings[:NAMED]]
    if view.deletions.number and postings:
        all_of_them = f"; all of them: {stack.command(f'report {view.record.import_id}')}"
        yield from ("", heading(view.deletions.title.upper(), view.deletions.number, len(postings), all_of_them))
        yield from _postings(postings)


def _postings(rows: Iterable[Sequence[str | None]]) -> list[str]:
    return [f"  {line}" for line in table(("POSTING", "TITLE"), rows)]


def _job(job: JobView) -> Iterator[str]:
    age = "new" if job.is_new or not job.since else f"failing since {day(job.since)}"
    yield from text(f"{job.name} ({job.place}), {age}", "    ", "  - ")
    yield from text(f"{job.verdict.lower()}: {job.message}", "      ")
    if job.own_message:
        yield from text(f"to fix: {job.own_message}", "      ")


def preview(answer: Mapping[str, Any]) -> list[str]:
    """Return what a dry run answered, for a person."""
    lines = []
    if answer.get("reason"):
        lines += text(answer["reason"], "    ", "Nothing would be sent: ")
        lines += pairs({"code": answer.get("fieldsCode")})
    else:
        deletes = "without deletions"
        if answer.get("deleteJobs"):
            deletes = f"with {counted(answer['deletes'], 'deletion')} of this feed's postings"
        elif answer.get("listed") and answer.get("deletes"):
            deletes = f"with {counted(answer['deletes'], 'deletion')} by list"
        elif answer.get("withheldDeletes"):
            deletes = f"with {counted(answer['withheldDeletes'], 'deletion')} withheld"
        lines.append(f"{counted(answer['jobs'], 'job')} would be sent, {deletes}.")
        because = why_withheld(answer.get("withheldBecause") or [])
        lines += pairs({"because": because, "code": answer.get("confirmCode"), "note": answer.get("note")})
    if found := answer.get("understood"):
        lines += understood(found)
    problems = answer.get("problems") or []
    if problems:
        lines += ["", f"To fix ({answer['invalid']:,})"]
    for each in problems:
        name = f" ({each['referenceNumber']})" if each.get("referenceNumber") else ""
        lines += text(
            f"{row_place(each['key'], each.get('row'), each.get('line'))}{name}: {join_messages(each['messages'], _WHOLE)}",
            "      ",
            "  ",
        )
    if warnings := answer.get("warnings"):
        lines += ["", "Notes"]
        lines += chain.from_iterable(text(each, "      ", "  ") for each in warnings)
    postings = answer.get("firstDeletes") or []
    if postings:
        number = answer.get("deletes") or answer.get("withheldDeletes") or len(postings)
        title = "Would be deleted" if answer.get("deletes") else "Not in the feed any more"
        lines += ["", heading(title, number, len(postings))]
        lines += _postings((each["referenceNumber"], each["title"]) for each in postings)
    return lines


def data(details: ImportDetails, run: Sequence[Import], stack: Stack) -> dict[str, Any]:
    """Return an import for programs, with every failed job."""
    view = ImportView.of(details, stack.own_commands)
    return {
        "import": import_data(view.record),
        "run": [import_data(each) for each in run],
        "failed": failed_data(details.failed),
        "invalid": failed_data(details.invalid),
        "whatToDo": [{"text": each.text, "command": each.command} for each in _steps(view, run, stack)],
    }
