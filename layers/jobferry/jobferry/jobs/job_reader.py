"""The road that turns any row into a job: map its fields, check, correct the fields that the check named, check again."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from jobferry.exact_json import parse_object
from jobferry.feeds.rows import Fields
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.check import FieldsError, check
from jobferry.jobs.clean_json import clean_json_reader
from jobferry.jobs.corrections.control_characters import remove_control_characters
from jobferry.jobs.corrections.employment_types import split_values
from jobferry.jobs.corrections.job import correct
from jobferry.jobs.corrections.remnants import may_hold_remnants
from jobferry.jobs.fields import CONVERTED_FIELDS, FIELDS
from jobferry.jobs.mapping import drop_empty, lift_values, map_fields
from jobferry.jobs.names import FeedNames, RowNames
from jobferry.jobs.reference_numbers import fault_of, is_error_value, may_be_converted
from jobferry.jobs.vocabulary import Vocabulary, warn_of_unlisted_terms
from jobferry.jobs.warnings import RowWarning, field_warning, quoted


class JobResult(NamedTuple):
    """What a row became.

    Attributes:
        job: its fields as they would be sent.
        body: the job as JSON on one line.
        errors: what a person has to fix, one sentence each; none if the job is valid.
        warnings: what was corrected or is unusual.
        identified: whether the reference number may be right. If not, the row protects no posting.
        refusable: whether the board refuses the job because of its errors. It would accept the error of a spreadsheet as a
            text, so such a job must not be sent.
        names: what the names of its fields stand for.
    """

    job: Mapping[str, Any]
    body: bytes
    errors: Sequence[str]
    warnings: Sequence[RowWarning]
    identified: bool
    refusable: bool
    names: RowNames


class JobReader:
    """Reads the rows of one feed by its settings, and compares them with the terms that its board documents.

    Attributes:
        names: the names of the feed's fields.
    """

    def __init__(self, settings: FeedSettings, vocabulary: Vocabulary) -> None:
        self.names = FeedNames(settings.fields)
        #: The shortcut reads only rows in which each field of the board has the name that the settings give it.
        self._clean_names = RowNames(
            {}, {name: name for name in FIELDS} | {ours: theirs for theirs, ours in settings.fields.items()}
        )
        self._paths = [name for name in settings.fields if "." in name]
        self._settings = settings
        self._vocabulary = vocabulary
        self._maps = bool(settings.values or settings.defaults)
        self._read_clean_json = clean_json_reader(settings)

    def read(self, row: bytes | Fields) -> JobResult:
        """Read one row: a JSON object's text, or the fields of a format without types, which may be changed.

        Raises:
            ObjectError: the row cannot be sent at all. EncodingError is one of these: a byte is not UTF-8.
        """
        if self._read_clean_json and isinstance(row, bytes) and (clean := self._read_clean_json(row)):
            job, body = clean
            # By name, a NamedTuple's values would take twice as long.
            return JobResult(
                job, body, (), warn_of_unusual_values(job, self._vocabulary), True, True, self._clean_names
            )
        return self.take_road(row)

    def take_road(self, row: bytes | Fields) -> JobResult:
        """Take the whole road, without the shortcut of `read`."""
        if typed := isinstance(row, bytes):
            given = parse_object(row)
            lift_values(given, self._paths)
            fields = drop_empty(given)
        else:
            fields = given = row
        names = self.names.of_row(tuple(given))
        if self._maps or names.renames:
            fields = map_fields(fields, names.renames, self._settings)
        job, errors, warnings = _read_fields(fields, typed=typed)
        body = to_json(job)
        if may_hold_remnants(body):
            cleaned, bad_names, removed = remove_control_characters(fields)
            job, errors, warnings = _correct_fields(drop_empty(cleaned), FIELDS, typed=typed)
            errors, warnings, body = [*bad_names, *errors], [*removed, *warnings], to_json(job)
        identified = refusable = True
        if errors:
            identified, refusable = _judge(job)
            unusual = warn_of_unlisted_terms(job, self._vocabulary)
        else:
            unusual = warn_of_unusual_values(job, self._vocabulary)
        warnings = [*self.names.take_warnings(), *warnings, *unusual]
        return JobResult(job, body, errors, warnings, identified, refusable, names)


def warn_of_unusual_values(job: Mapping[str, Any], vocabulary: Vocabulary) -> list[RowWarning]:
    """Warn of unusual values of a valid job. The board decides about them."""
    warnings = warn_of_unlisted_terms(job, vocabulary)
    lowest, highest = job.get("payAmountMin"), job.get("payAmountMax")
    if lowest and highest and float(lowest) > float(highest):
        message = f"{quoted(lowest)} is above payAmountMax {quoted(highest)}"
        warnings.append(field_warning("payAmountMin", "above payAmountMax", message))
    if may_be_converted(reference := job["referenceNumber"]):
        message = (
            f"{quoted(reference)} looks like what a spreadsheet makes of a text: if it is, format the column as text, and type the "
            "number again"
        )
        warnings.append(field_warning("referenceNumber", "converted", message))
    return warnings


#: A job, what a person has to fix in it, and what was corrected.
type _Checked = tuple[dict[str, Any], Sequence[str], Sequence[RowWarning]]


def _read_fields(fields: Fields, *, typed: bool) -> _Checked:
    """Check the fields. If the check names some, correct those, and check again."""
    if not typed:
        _split_employment_types(fields)
    try:
        return check(fields, typed=typed), (), ()
    except FieldsError as wrong:
        return _correct_fields(fields, wrong.names, typed=typed)


def _correct_fields(fields: Fields, names: Collection[str], *, typed: bool) -> _Checked:
    job, errors, warnings = correct(fields, names, typed=typed)
    if errors:  # The check would have converted some values that it accepts.
        return correct(fields, {*names, *CONVERTED_FIELDS}, typed=typed)
    try:
        return check(job, typed=typed), errors, warnings
    except FieldsError as still_wrong:
        return (
            job,
            [f"{name} cannot be sent as {quoted(job.get(name))}" for name in sorted(still_wrong.names)],
            warnings,
        )


def _judge(job: Mapping[str, Any]) -> tuple[bool, bool]:
    """Decide whether a job with errors is identified and refusable."""
    reference = job.get("referenceNumber")
    texts = [each for value in job.values() for each in (value if isinstance(value, list) else [value])]
    return (
        isinstance(reference, str) and fault_of(reference) is None,
        not any(isinstance(each, str) and is_error_value(each) for each in texts),
    )


def _split_employment_types(fields: Fields) -> None:
    """Make a list of several values in one text, which is how a format without lists writes them."""
    text = fields.get("employmentType")
    if isinstance(text, str) and len(values := split_values(text)) > 1:
        fields["employmentType"] = values
