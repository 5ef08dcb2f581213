"""A feed's settings, `feeds/{feed}/feed.json`. All are optional; an unknown one is an error."""

import codecs
import json
import re
from collections.abc import Collection
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from jobferry.errors import FeedNameError, SettingsError
from jobferry.exact_json import ObjectError, parse_object

#: The name of the settings' object in a feed's folder.
SETTINGS_NAME: Final = "feed.json"
FEED_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_+=.@-][A-Za-z0-9/_+=.@-]{0,255}")


def _text_encoding(name: str) -> str:
    try:
        "".encode(name)  # refuses codecs that are not of text, as base64 is
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError) as error:
        raise PydanticCustomError(
            "encoding", "is not the name of a text encoding; known are e.g. utf-8, cp1252, latin-1, utf-16-le"
        ) from error
    return name


def _secret_name(name: str) -> str:
    if not SECRET_NAME.fullmatch(name) or ".." in name:
        raise PydanticCustomError(
            "secret",
            "must be a plain name of a secret under this stack's prefix: letters, digits and /_+=.@-, no '/' at the "
            "start, no '..'",
        )
    return name


def _delete_jobs(value: object) -> bool | Literal["listed"]:
    if value == "listed":
        return "listed"
    if not isinstance(value, bool):
        raise PydanticCustomError("delete_jobs", 'it should be false, "listed" or true')
    return value


#: Whether postings that are not in the feed are deleted: not at all; only those that this feed posted, by their reference
#: numbers; or, as a full sync, every other posting of the account.
type DeleteJobs = Annotated[bool | Literal["listed"], PlainValidator(_delete_jobs)]
type FieldName = Annotated[str, Field(min_length=1)]
#: A value or a default for one field. "" and null mean that the field is absent.
type Value = str | int | float | bool | list[str] | None


class FeedSettings(BaseModel):
    """The checked settings. In feed.json, their names are in camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, allow_inf_nan=False)

    #: The name of the account's secret under the stack's prefix.
    api_key_secret: Annotated[str, AfterValidator(_secret_name)] = "BoardApiKey"  # noqa: S105  # its name
    delete_jobs: DeleteJobs = False
    #: Deletions of a larger part of the live set are withheld. Percent.
    max_delete_percent: Annotated[int, Field(ge=0, le=100)] = 20
    #: The same for all deletions of seven days. Beyond 100, it also allows postings to be replaced within the week. Percent.
    max_weekly_delete_percent: Annotated[int, Field(ge=0, le=700)] = 50
    #: If a larger part of the jobs is invalid, nothing is sent. Percent.
    max_invalid_percent: Annotated[int, Field(ge=0, le=100)] = 20
    #: A larger feed is split into several imports.
    max_jobs_per_import: Annotated[int, Field(ge=1)] | None = None
    #: The feed's name of a field to the board's.
    fields: dict[FieldName, FieldName] = {}
    #: For each field of the board, the feed's value to the board's.
    values: dict[FieldName, dict[str, Value]] = {}
    #: The values of fields that a job lacks.
    defaults: dict[FieldName, Value] = {}
    #: Where the jobs are: the name of an XML element, or the path of a list in JSON, such as "data.items".
    rows: FieldName | None = None
    #: The name of the sheet of a workbook that holds the jobs.
    sheet: FieldName | None = None
    #: The row of a table's header, as a spreadsheet counts.
    header_row: Annotated[int, Field(ge=1)] | None = None
    #: The encoding of objects without a byte order mark: a Python codec's name.
    encoding: Annotated[str, AfterValidator(_text_encoding)] = "utf-8"
    #: Send a notice even if there were no problems.
    notify_on_success: bool = False
    #: Send a notice of the postings that were deleted as expected.
    notify_on_deletes: bool = True
    #: The schedule runs, but nothing is sent.
    paused: bool = False
    #: The limit for all objects of the feed together, uncompressed. Bytes.
    max_feed_bytes: Annotated[int, Field(ge=1)] = 1 << 30

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.full_sync and self.max_jobs_per_import is not None:
            raise PydanticCustomError(
                "split",
                "deleteJobs true and maxJobsPerImport exclude each other: each import of a split feed would delete the "
                'jobs of the others. With "deleteJobs": "listed", a feed can be split',
            )
        if "referenceNumber" in self.defaults:
            raise PydanticCustomError("reference", "defaults.referenceNumber would give many jobs one reference number")
        return self

    @property
    def full_sync(self) -> bool:
        """Tell whether an import deletes every posting of the account that is not in it."""
        return self.delete_jobs is True

    @property
    def listed(self) -> bool:
        """Tell whether postings of this feed are deleted by their reference numbers."""
        return self.delete_jobs == "listed"

    @property
    def names_secret(self) -> bool:
        """Tell whether feed.json names the account's secret. If not, it is the default one."""
        return "api_key_secret" in self.model_fields_set

    def feed_names(self, ours: Collection[str]) -> frozenset[str]:
        """Return the names that the feed has for these fields of the board."""
        mapped = {theirs for theirs, name in self.fields.items() if name in ours}
        return frozenset(mapped.union(ours).difference(self.fields.keys() - mapped))

    def for_retry(self) -> Self:
        """Return the settings for jobs from the archive, which are mapped already. A retry deletes nothing."""
        archived: dict[str, Any] = {"fields": {}, "values": {}, "defaults": {}, "rows": None, "encoding": "utf-8"}
        return self.model_copy(update=archived | {"delete_jobs": False})


def check_feed_name(feed: str) -> str:
    """Return the name if a feed may have it, else raise FeedNameError. Call this before any access."""
    if not isinstance(feed, str) or not FEED_NAME.fullmatch(feed):
        raise FeedNameError(f"{feed!r:.80} is not a feed's name: use at most 64 lower-case letters, digits and hyphens")
    return feed


def parse_settings(text: bytes | None, key: str) -> FeedSettings:
    """Parse the settings in `text`, the content of the object `key`; the defaults if there is no such object.

    Raises:
        SettingsError: names the object, the setting and what is allowed.
    """
    if text is None:
        return FeedSettings()
    try:
        return FeedSettings.model_validate(parse_object(text.removeprefix(codecs.BOM_UTF8)))
    except ObjectError as error:
        raise SettingsError(f"{key} {error}") from error
    except ValidationError as error:
        raise SettingsError(f"{key}: " + "; ".join(_sentences(error))) from error


_NAMES: Final = [to_camel(name) for name in FeedSettings.model_fields]


#: pydantic's type errors in words. Several for one setting are alternatives.
_KINDS: Final = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list of texts",
    "string_type": "a text",
}


def _sentences(errors: ValidationError) -> list[str]:
    """Put pydantic's errors into words, one sentence for each setting."""
    kinds: dict[str, list[str]] = {}
    sentences: list[str] = []
    for error in errors.errors():
        name = ".".join(str(part) for part in error["loc"] if part not in ("str", "int", "float", "bool", "list[str]"))
        if (kind := _KINDS.get(error["type"])) is None:
            sentences.append(_sentence(name, error))
        elif name in kinds:
            kinds[name].append(kind)
        else:
            kinds[name] = [f"{name} is {_shown(error['input'])}, it should be {kind}"]
    return sentences + [" or ".join(each) for each in kinds.values()]


def _shown(value: Any) -> str:
    """Write a value as feed.json has it."""
    return json.dumps(value, ensure_ascii=False, default=str)[:80]


def _sentence(name: str, error: Any) -> str:
    match error["type"]:
        case "extra_forbidden":
            import difflib  # kept out of the cold start

            close = difflib.get_close_matches(name, _NAMES, n=1)
            folded = [each for each in _NAMES if each.casefold() == re.sub(r"[\W_]", "", name).casefold()]
            hint = f"did you mean {(folded or close)[0]}?" if folded or close else f"known are {', '.join(_NAMES)}"
            return f"{_shown(name)} is not a setting: {hint}"
        case "encoding" | "secret":
            return f"{name} {error['msg']}, not {_shown(error['input'])}"
        case "split" | "reference":
            return str(error["msg"])
        case "string_too_short":
            return f"{error['loc'][0]}: a field's name cannot be empty"
        case _:
            return f"{name} is {_shown(error['input'])}, {error['msg'].replace('Input', 'it')}"
