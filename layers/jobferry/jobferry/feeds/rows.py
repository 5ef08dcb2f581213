"""The rows that the readers of all formats yield."""

from typing import Any, NamedTuple


class UnreadableRow(NamedTuple):
    """A row that cannot be read; the rows after it can. The message completes "feed.csv row 3 …"."""

    message: str


#: The fields of a format without JSON's types: trimmed texts, none of them empty, or lists of such texts. The receiver may
#: change them.
type Fields = dict[str, Any]


class RowWithWarning(NamedTuple):
    """A row that can be read but deserves a warning. The message completes "a row …"."""

    fields: Fields
    message: str


#: A row's number, from 1 (a table's header counts), and the row: a JSON object's text, or fields by name.
type Row = tuple[int, bytes | Fields | RowWithWarning | UnreadableRow]
