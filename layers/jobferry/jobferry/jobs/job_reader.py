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
from jobferry.jobs.names import NOTHING_NAMED, FeedNames, RowNames
from jobferry.jobs.reference_numbers import fault_of, is_error_value
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
    errors: Sequence[str] = ()
    warnings: Sequence[RowWarning] = ()
    identified: bool = True
    refusable: bool = True
    names: RowNames = NOTHING_NAMED


class JobReader:
    """Reads the rows of one feed by its settings, and compares them with the terms that its board documents.

    Attributes:
        names: the names of the feed's fields.
    """

    def __init__(self, settings: FeedSettings, vocabulary: Vocabulary) -> None:
        self.names = FeedNames(settings.fields)
        #: The shortcut reads only rows in which each field of the board has the name that the settings give it.
        self._clean_names = RowNames(
            {}, dict(zip(FIELDS, FIELDS, strict=True)) | {ours: theirs for theirs, ours in settings.fields.items()}
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
        clean = self._read_clean_json(row) if isinstance(row, bytes) and self._read_clean_json else None
        if clean:
            unusual = warn_of_unusual_values(clean[0], self._vocabulary)
            return JobResult(*clean, (), unusual, names=self._clean_names)
        return self.take_road(row)

    def take_road(self, row: bytes | Fields) -> JobResult:
        """Take the whole road, without the shortcut of `read`."""
        typed = isinstance(row, bytes)
        fields = parse_object(row) if isinstance(row, bytes) else row
        if typed:
            lift_values(fields, self._paths)
        names = self.names.of_row(tuple(fields))
        if typed:
            fields = drop_empty(fields)
        if self._maps or names.renames:
            fields = map_fields(fields, names.renames, self._settings)
        result = _read_fields(fields, typed=typed)
        if may_hold_remnants(result.body):
            cleaned, errors, warnings = remove_control_characters(fields)
            result = _correct_fields(drop_empty(cleaned), FIELDS, typed=typed)
            result = result._replace(errors=[*errors, *result.errors], warnings=[*warnings, *result.warnings])
        if result.errors:
            result = _judge(result)
            unusual = warn_of_unlisted_terms(result.job, self._vocabulary)
        else:
            unusual = warn_of_unusual_values(result.job, self._vocabulary)
        warnings = [*self.names.take_warnings(), *result.warnings, *unusual]
        # NamedTuple's _replace would take twice as long.
        return JobResult(result.job, result.body, result.errors, warnings, result.identified, result.refusable, names)


def warn_of_unusual_values(job: Mapping[str, Any], vocabulary: Vocabulary) -> list[RowWarning]:
    """Warn of values of a valid job that are unusual but for the board to decide."""
    warnings = warn_of_unlisted_terms(job, vocabulary)
    lowest, highest = job.get("payAmountMin"), job.get("payAmountMax")
    if lowest and highest and float(lowest) > float(highest):
        message = f"{quoted(lowest)} is above payAmountMax {quoted(highest)}"
        warnings.append(field_warning("payAmountMin", "above payAmountMax", message))
    return warnings


def _read_fields(fields: Fields, *, typed: bool) -> JobResult:
    """Check the fields. If the check names some, correct those, and check again."""
    if not typed:
        _split_employment_types(fields)
    try:
        job = check(fields, typed=typed)
    except FieldsError as wrong:
        return _correct_fields(fields, wrong.names, typed=typed)
    return JobResult(job, to_json(job))


def _correct_fields(fields: Fields, names: Collection[str], *, typed: bool) -> JobResult:
    job, errors, warnings = correct(fields, names, typed=typed)
    if errors:  # The check would have converted some values that it accepts.
        job, errors, warnings = correct(fields, {*names, *CONVERTED_FIELDS}, typed=typed)
    else:
        try:
            job = check(job, typed=typed)
        except FieldsError as still_wrong:
            errors = [f"{name} cannot be sent as {quoted(job.get(name))}" for name in sorted(still_wrong.names)]
    return JobResult(job, to_json(job), errors, warnings)


def _judge(result: JobResult) -> JobResult:
    """Decide what a row with errors is good for."""
    reference = result.job.get("referenceNumber")
    identified = isinstance(reference, str) and fault_of(reference) is None
    texts = [each for value in result.job.values() for each in (value if isinstance(value, list) else [value])]
    refusable = not any(isinstance(each, str) and is_error_value(each) for each in texts)
    return result._replace(identified=identified, refusable=refusable)


def _split_employment_types(fields: Fields) -> None:
    """Make a list of several values in one text, which is how a format without lists writes them."""
    text = fields.get("employmentType")
    if isinstance(text, str) and len(values := split_values(text)) > 1:
        fields["employmentType"] = values
