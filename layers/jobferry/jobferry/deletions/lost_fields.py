"""Lost fields: a field that most jobs had, and that hardly any has now, must not empty live postings.

Source: docs/deletions.md, rule 9.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jobferry.deletions.codes import confirmation_code, is_code
from jobferry.errors import FieldsGoneError
from jobferry.records.imports import Prepared
from jobferry.text import counted

#: A field that at least this share of the jobs had, and at most that share has. Percent.
_MOST: Final = 80
_HARDLY_ANY: Final = 10
#: Every valid job has this field, so its count is the number of valid jobs.
_ALWAYS: Final = "referenceNumber"
#: In a feed with fewer jobs, a field may disappear with one ended job. So only the fields that every job has count.
_FEW_JOBS: Final = 5
_FIELDS_OF_EVERY_JOB: Final = frozenset({"title", "city", "state", "description"})
_WITHOUT_DIGITS: Final = dict.fromkeys(map(ord, "0123456789"))


def require_fields(
    before: Prepared, fields: Mapping[str, int], sources: Sequence[Mapping[str, Any]], confirmed_with: str | None
) -> None:
    """Require that the feed, and each object of it, still has the fields that most of its jobs had (rule 9).

    Args:
        before: the last complete import.
        fields: how many valid jobs of the feed have each field.
        sources: the objects of the feed, as `Payload.sources` describes them. They are matched by their keys, or by what
            their keys are without digits, such as dates. If two files were mistaken for each other, each would seem to have
            lost what only the other one has, so a name that two of them share matches nothing. An object that is
            new, or had no valid jobs, is compared with the whole feed, in the fields that every job should have.
        confirmed_with: the code with which a person confirmed that fields are gone, if one did.

    Raises:
        FieldsGoneError: fields are gone, and the code does not confirm exactly these.
    """
    gone = list(_gone_fields("", before.fields, fields))
    of_feed = {each.name for each in gone}
    by_key = {each["key"]: each for each in before.sources}
    undated_before, undated = _by_undated_key(before.sources), _by_undated_key(sources)
    of_every_job = {name: before.fields[name] for name in before.fields.keys() & {_ALWAYS, *_FIELDS_OF_EVERY_JOB}}
    for each in sources:
        name = each["key"].translate(_WITHOUT_DIGITS)
        earlier = by_key.get(each["key"]) or (undated.get(name) and undated_before.get(name)) or {}
        known = earlier.get("fields", {})
        compared, of_before = (known, "") if known.get(_ALWAYS) else (of_every_job, " of the feed")
        found = _gone_fields(f" of {each['key']}", compared, each["fields"], of_before)
        gone += [lost for lost in found if lost.name not in of_feed]
    code = confirmation_code("; ".join(f"{each.name}{each.of}" for each in gone))
    if gone and not (confirmed_with is not None and is_code(confirmed_with, code)):
        raise FieldsGoneError("; ".join(map(str, gone)), code)


def _by_undated_key(sources: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any] | None]:
    """Return the objects by their keys without digits; None for a name that several have."""
    found: dict[str, Mapping[str, Any] | None] = {}
    for each in sources:
        name = each["key"].translate(_WITHOUT_DIGITS)
        found[name] = None if name in found else each
    return found


class _GoneField(NamedTuple):
    """A field that most jobs had, and that hardly any has now.

    Attributes:
        name: the field.
        of: the object whose jobs lost it, in words; empty if it is the whole feed.
        having: how many jobs have it.
        jobs: the number of valid jobs.
        having_before: how many had it at the last complete import.
        jobs_before: the number of valid jobs then.
        of_before: the object whose jobs had it, in words; empty if it is the same one.
    """

    name: str
    of: str
    having: int
    jobs: int
    having_before: int
    jobs_before: int
    of_before: str

    def __str__(self) -> str:
        return (
            f"{self.name} is in {self.having:,} of {counted(self.jobs, 'valid job')}{self.of}, and was in "
            f"{self.having_before:,} of {self.jobs_before:,}{self.of_before} at the last complete import"
        )


def _gone_fields(
    of: str, before: Mapping[str, int], now: Mapping[str, int], of_before: str = ""
) -> Iterator[_GoneField]:
    jobs_before, jobs = before.get(_ALWAYS, 0), now.get(_ALWAYS, 0)
    few = min(jobs_before, jobs) < _FEW_JOBS
    for name, having_before in sorted(before.items()):
        having = now.get(name, 0)
        had_by_most = having_before * 100 >= jobs_before * _MOST
        if (
            jobs
            and had_by_most
            and having * 100 <= jobs * _HARDLY_ANY
            and not (few and name not in _FIELDS_OF_EVERY_JOB)
        ):
            yield _GoneField(name, of, having, jobs, having_before, jobs_before, of_before)
