"""The formats in which feeds come: each module turns an object's bytes into rows, and knows nothing of jobs."""

from __future__ import annotations

from typing import Any, NamedTuple


class UnreadableRow(NamedTuple):
    """A row that cannot be read, while those after it can. The message follows the row's place."""

    message: str


#: The fields of a format without JSON's types: texts, trimmed, none of them empty, or lists of such. Whoever gets a row
#: may change it.
type Fields = dict[str, Any]


class RowWithWarning(NamedTuple):
    """A row that can be read, and something about it that a person should know. The message follows "row"."""

    fields: Fields
    message: str


#: A row's number, as a person counts in that file, and the row: a JSON object's text, or the fields by their names.
type Row = tuple[int, bytes | Fields | RowWithWarning | UnreadableRow]
