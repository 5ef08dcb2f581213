"""What people are told about an import: computed once, then rendered as text, as JSON, as a page and on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from jobferry.notices.advice.causes import why_withheld
from jobferry.notices.advice.commands import Commands
from jobferry.notices.advice.steps import Step, steps
from jobferry.notices.advice.topics import ENDED, Severity, Topic, severity, topics
from jobferry.notices.details import ImportDetails
from jobferry.notices.failures import (
    NO_REASON,
    Failure,
    Failures,
    Group,
    Verdict,
    count_failures,
    failures_of,
    file_name,
    join_messages,
    tell_unnamed,
)
from jobferry.notices.happened import happened
from jobferry.notices.headline import headline
from jobferry.records.imports import Deletions, Import, Objection, Posting, State
from jobferry.text import counted, duration, one_line, row_place, when

#: The board's counts that add up to the jobs that were sent.
_JOB_COUNTS: Final = ("added", "updated", "unchanged", "failed")
_WITHOUT_RESULT: Final = {State.EXPIRED: "sent", State.REJECTED: "not accepted"}


class Lengths(NamedTuple):
    """How many characters of each text a rendering shows."""

    reference: int
    title: int
    file: int
    message: int
    own_message: int


class CountView(NamedTuple):
    """A number, what it counts, and whether it is a bad sign."""

    number: int
    words: str
    is_bad: bool = False


class PostingView(NamedTuple):
    """A posting that is deleted or withheld, its texts cut and harmless."""

    reference: str
    title: str


class PostingsView(NamedTuple):
    """The postings that an import deletes, was to delete, or withheld.

    Attributes:
        title: the words by which the steps refer to the list.
        number: how many there are.
        words: what they have in common.
        needs_attention: a person should check the list.
    """

    title: str
    number: int
    words: str
    needs_attention: bool


class JobView(NamedTuple):
    """A job that failed, its texts cut and harmless.

    Attributes:
        reference: its reference number; empty if it has none.
        title: empty if it has none.
        key: its object in the bucket; empty if that is unknown.
        file: the object's name.
        row: its row in that object.
        line: the line on which the row begins, where that helps to find it.
        verdict: what became of it.
        message: what the board says about it, or why it was not sent.
        own_message: what jobferry itself found before sending a job that the board refused; empty if nothing.
        is_new: it did not fail at the last complete import.
        since: when it began to fail.
    """

    reference: str
    title: str
    key: str
    file: str
    row: int | None
    line: int | None
    verdict: Verdict
    message: str
    own_message: str
    is_new: bool
    since: datetime | None

    @property
    def name(self) -> str:
        return ", ".join(filter(None, (self.reference or "no reference number", self.title)))

    @property
    def place(self) -> str:
        return row_place(self.file, self.row if self.key else None, self.line)


@dataclass(frozen=True)
class ImportView:
    """What people are told about an import.

    Attributes:
        details: the import, and its jobs to stream.
        commands: the commands that people paste.
        failures: the counts of its failed jobs, and the first of them.
        topics: what its notice is about.
        severity: how urgent the notice is.
        headline: what happened in a few words.
        happened: what happened in a few sentences.
        steps: what to do.
        counts: its jobs and deletions in numbers.
        deletions: the postings that are deleted, were to be deleted, or are withheld.
        facts: facts about it by name.
    """

    details: ImportDetails
    commands: Commands
    failures: Failures
    topics: list[Topic]
    severity: Severity
    headline: str
    happened: str
    steps: list[Step]
    counts: list[CountView]
    deletions: PostingsView
    facts: dict[str, str]

    @classmethod
    def of(cls, details: ImportDetails, commands: Commands) -> ImportView:
        """Make the view, which goes through all jobs once."""
        record, failures = details.record, count_failures(details)
        about = topics(record)
        return cls(
            details=details,
            commands=commands,
            failures=failures,
            topics=about,
            severity=severity(record),
            headline=headline(record, failures),
            happened=happened(record, failures),
            steps=steps(record, failures, commands),
            counts=_counts(record, failures),
            deletions=_deletions(record, about),
            facts=_facts(record, commands),
        )

    @property
    def record(self) -> Import:
        return self.details.record

    @property
    def has_ended(self) -> bool:
        return self.record.state in ENDED

    @property
    def speaker(self) -> str:
        """Return whose words a refused job's messages are."""
        return "the board" if self.record.result.verified else "the callback"

    @property
    def fixed(self) -> str | None:
        """Return how many jobs were fixed, in a sentence."""
        if not self.failures.fixed:
            return None
        number = self.failures.fixed
        return f"{counted(number, 'job')} that failed before {'is' if number == 1 else 'are'} fixed."

    @property
    def adjusted(self) -> str | None:
        """Return how many fields were adjusted, if some were not before, in a sentence."""
        fields = self.record.prepared.adjusted.keys()
        if not fields - self.details.adjusted_before:
            return None
        return f"Adjusted formatting in {counted(len(fields), 'field')}"

    @property
    def unnamed(self) -> str | None:
        """Return how many failed jobs the board counts without naming them, in a sentence."""
        unnamed = tell_unnamed(self.record, self.failures)
        return f"{unnamed[0].upper()}{unnamed[1:]}" if unnamed else None

    @property
    def ignored_values(self) -> str | None:
        """Return the values that the board ignored, in a sentence."""
        ignored = (self.record.result.counts or {}).get("ignoredValues")
        return f"The board ignored values: {json.dumps(ignored)}" if ignored else None

    def jobs(self, *groups: Group) -> Iterator[Failure]:
        """Yield the jobs group by group, because there may be too many to sort in memory."""
        sizes = {
            Group.NEW: self.failures.new,
            Group.KNOWN: self.failures.known,
            Group.ACCEPTED: self.failures.accepted,
        }
        for group in groups or Group:
            if sizes[group]:
                yield from (each for each in failures_of(self.details) if each.group is group)


def _counts(record: Import, failures: Failures) -> list[CountView]:
    result, jobs = record.result, record.prepared.jobs
    held_back = CountView(failures.held_back, "with a mistake, not sent", is_bad=True)
    if record.state is not State.COMPLETE:
        sent = CountView(jobs, _WITHOUT_RESULT.get(record.state, "not sent"))
        return [each for each in (sent, held_back) if each.number]
    counts = [CountView(result.count(name), name, is_bad=name == "failed") for name in _JOB_COUNTS]
    total, processed = sum(each.number for each in counts), result.count("processed")
    words = "in total, matching what was sent" if total == jobs else f"in total, though {jobs:,} were sent"
    if processed != total:
        words += f"; the board itself counts {processed:,}"
    deletions, deleted = record.deletions, result.count("deleted")
    deleted_words = "posting deleted" if deleted == 1 else "postings deleted"
    if deletions.delete_jobs or deleted:
        deleted_words += f", {deletions.by_import:,} expected"
    counts.append(CountView(total, words, is_bad=result.unaccounted > 0))
    if held_back.number:
        counts.append(held_back)
    has_list = deletions.listed and deletions.expected > 0
    if deleted or not has_list:
        counts.append(CountView(deleted, deleted_words, is_bad=deleted > deletions.by_import))
    if has_list:
        by_list = "posting deleted by list" if deletions.deleted == 1 else "postings deleted by list"
        counts.append(CountView(deletions.deleted, f"{by_list}, {deletions.expected:,} expected"))
    if deletions.left:
        counts.append(CountView(deletions.left, "left for the next run", is_bad=True))
    return counts


def _deletions(record: Import, about: list[Topic]) -> PostingsView:
    deletions = record.deletions
    told = {Topic.WITHHELD, Topic.EXPIRED, Topic.DELETED_MORE, Topic.DELETED, Topic.NOT_OFFERED, Topic.LEFT}
    needs_attention = not told.isdisjoint(about)
    if deletions.withheld:
        return PostingsView("Would be deleted", deletions.withheld, "not in the feed, and kept", needs_attention)
    as_expected = record.state is State.COMPLETE and record.result.count("deleted") <= deletions.by_import
    title = "Deleted" if as_expected and not deletions.left else "Were to be deleted"
    words = "not in the feed any more"
    if deletions.left and deletions.deleted:
        words += f"; the first {deletions.deleted:,} are deleted"
    return PostingsView(title, deletions.expected, words, needs_attention)


def _facts(record: Import, commands: Commands) -> dict[str, str]:
    deletions, sent_at, settled_at = record.deletions, record.sent.submitted_at, record.result.settled_at
    facts = {"begun": when(record.created_at)}
    if sent_at:
        deletes = "without deletions"
        if deletions.delete_jobs:
            deletes = f"with deletions, {deletions.expected:,} expected"
        elif deletions.withheld:
            deletes += f", {deletions.withheld:,} withheld: {why_withheld(deletions.because)}"
        elif deletions.listed and deletions.expected:
            deletes = f"with a list of {counted(deletions.expected, 'deletion')}"
        facts["sent"] = f"{when(sent_at)}, {counted(record.prepared.jobs, 'job')} {deletes}"
    if words := _list(deletions) or _waiting(deletions):
        facts["deletions"] = words
    if settled_at:
        took = duration((settled_at - record.created_at).total_seconds())
        sure = "confirmed" if record.result.verified else "not yet confirmed" if record.open else "not confirmed"
        by = record.result.settled_by
        facts["result"] = f"{when(settled_at)}, after {took}, by {by}, {sure} by the board"
    if record.prepared.payload:
        facts["archive"] = f"s3://{commands.bucket}/{record.prepared.payload}"
    if record.destination.board:
        facts["board"] = record.destination.board
    if record.sent.board_import_id:
        facts["its id"] = record.sent.board_import_id
    return facts


def _list(deletions: Deletions) -> str | None:
    """Return how far the list of deletions is; None if there is none."""
    if not deletions.deletes or not deletions.listed:
        return None
    words = f"{deletions.deleted:,} of {deletions.expected:,} deleted by list"
    if deletions.list_is_open:
        return f"{words}, the rest is on its way"
    return f"{words}; the next run tries the rest again" if deletions.left else words


def _waiting(deletions: Deletions) -> str | None:
    """Return why deletions wait although nothing is wrong; None if they do not."""
    if deletions.nobody_subscribed:
        return "announced to no one: no subscription to the notices is confirmed, so the next notice repeats it"
    if Objection.TIME_TO_OBJECT in deletions.because and deletions.object_until:
        return f"they wait until {when(deletions.object_until)}, or for a run that a person starts"
    if deletions.again_at:
        return f"they wait for the feed's next run, which starts by itself, after {when(deletions.again_at)}"
    return None


def view_job(failure: Failure, lengths: Lengths) -> JobView:
    """Return a job with its texts cut."""
    job = failure.job
    return JobView(
        reference=one_line(job.reference_number or "", lengths.reference),
        title=one_line(job.title or "", lengths.title),
        key=one_line(job.key or "", lengths.file),
        file=file_name(job, lengths.file),
        row=job.row,
        line=job.line,
        verdict=failure.verdict,
        message=join_messages(job.messages, lengths.message) or NO_REASON,
        own_message=join_messages(failure.own_messages, lengths.own_message),
        is_new=failure.is_new,
        since=job.since,
    )


def view_posting(posting: Posting, lengths: Lengths) -> PostingView:
    """Return a posting with its texts cut."""
    return PostingView(
        one_line(posting.reference_number, lengths.reference), one_line(posting.title or "", lengths.title)
    )


def heading(title: str, number: int, shown: int, hint: str = "") -> str:
    """Return the heading of a list that may show only the first of many."""
    return f"{title} ({number:,})" if shown >= number else f"{title} (the first {shown:,} of {number:,}{hint})"
