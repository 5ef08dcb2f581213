"""What programs leave in texts: `="07030"` of a spreadsheet, `NULL` of a database, invisible marks of a clipboard.

The check accepts such texts in most fields. So a row whose job may hold some is corrected in all fields.
"""

import re
from typing import Final

from pydantic_core import SchemaValidator, core_schema

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.fields import HTML_FIELDS, STRICT_FIELDS
from jobferry.jobs.reference_numbers import WORDS_FOR_NONE, is_error_value
from jobferry.jobs.warnings import RowWarning, quoted

#: What databases and programs write for no value. No one writes these words in a job, unlike "None" or "N/A".
_PROGRAMS_WORDS_FOR_NONE: Final = frozenset({
    "NULL", "null", "Null", "(NULL)", "(null)", "[NULL]", "<NULL>", "<null>", r"\N", "nan", "NaN", "NAN", "NaT", "<NA>", "undefined",
})  # fmt: skip
#: The first characters of all that can be removed from an ASCII text, and of errors and words for none.
_FIRST_CHARACTERS: Final = frozenset(
    "='#[E" + "".join(f"{word[0]}{word[0].upper()}" for word in _PROGRAMS_WORDS_FOR_NONE | WORDS_FOR_NONE)
)
#: No-break spaces, soft hyphens, zero-width spaces, marks of direction, byte order marks. Emoji and some scripts need other
#: characters that are invisible.
_SPACES: Final = "\u00a0\u202f"
_MARKS: Final = "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_WITHOUT_MARKS: Final = str.maketrans(_SPACES, "  ", _MARKS)
_FORMULA: Final = re.compile(r'=\s*"(?:"([^"&][^"]*)"|((?:[^"]|"")*))"')
#: With this apostrophe, spreadsheets keep a number as a text. In front of a word it may be a quotation mark.
_APOSTROPHE: Final = re.compile(r"'([0-9][\w.,:/$+-]*)")
_ESCAPED_HTML: Final = re.compile(
    r"&(?:amp;)*lt;/?(?:p|br|div|span|ul|ol|li|b|strong|i|em|u|h[1-6]|a|table|tr|td|font)(?:\s|/|&)", re.IGNORECASE
)
#: What becomes of UTF-8 that is read as Windows's or the West's encoding: é is Ã©, and an apostrophe may be â€™.
_MISREAD: Final = re.compile(
    "Â[\u0080-\u00bf]|â[€\u0080\u201a]|ðŸ|Ã[\u0080-\u00bf"
    # the other characters that Windows's encoding has for 0x80 to 0x9f
    "\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122"
    "\u0161\u203a\u0153\u017e\u0178]"
)
#: Finds all of these, and control characters, in a job's JSON with Rust's regular expressions, which pydantic has: in 1.3 µs
#: for 3 KB. Control characters alone take 0.9 of them. A class of many characters would take five times as long.
_find_remnant: Final = SchemaValidator(
    core_schema.str_schema(
        pattern="|".join(
            (
                r"\\u00[01]",
                r'"[\'=#]',
                *(f'"{re.escape(word.replace("\\", r"\\"))}"' for word in sorted(_PROGRAMS_WORDS_FOR_NONE)),
                r'"(?:\[object |Err:)',
                "lt;",
                _MISREAD.pattern,
                *_SPACES,
                *_MARKS,
            )
        )
    )
).isinstance_python


def may_hold_remnants(body: bytes) -> bool:
    """Decide whether a job's JSON may hold remnants, control characters or escaped HTML. Some sound texts look like them."""
    return _find_remnant(body)


def remove_remnants(field: FieldCorrection, text: str) -> str | None:
    """Return the text without what programs left in it; None if nothing is left, or it stands for no value.

    Raises:
        CannotCorrectError: a program wrote an error instead of a value.
    """
    if text.isascii() and text[:1] not in _FIRST_CHARACTERS and field.name not in HTML_FIELDS:
        return text  # most are
    plain = text
    if not text.isascii() and field.name not in HTML_FIELDS:
        plain = text.translate(_WITHOUT_MARKS).strip()
        if plain != text:
            field.warn("has invisible characters in it", text, plain)
    plain = unwrap(field, plain)
    if is_error_value(plain):
        raise CannotCorrectError(
            f"{quoted(plain)} is an error of a spreadsheet or script: correct it where the value comes from"
        )
    if not plain or stands_for_none(field.name, plain):
        field.leave_out(text)
        return None
    if field.name in HTML_FIELDS and _ESCAPED_HTML.search(plain):
        message = f"{field.name} has escaped HTML in it, such as &lt;p&gt;, which the board may show as text: export the HTML itself"
        field.warnings.append(RowWarning(("feed", "escaped HTML"), message))
    if misread := _MISREAD.search(text):
        near = quoted(text[max(0, misread.start() - 20) : misread.end() + 20])
        message = f"{field.name} has {near} in it: it seems that UTF-8 was read in another encoding before, so that é became Ã©"
        field.warnings.append(RowWarning(("feed", "misread"), message))
    return plain


def stands_for_none(name: str, value: object) -> bool:
    """Decide whether the value of a field is a program's word for none, or any such word where no word can be a value."""
    return isinstance(value, str) and (
        value in _PROGRAMS_WORDS_FOR_NONE or (name in STRICT_FIELDS and value.casefold() in WORDS_FOR_NONE)
    )


def unwrap(field: FieldCorrection, text: str) -> str:
    """Return the text of a spreadsheet's formula `="00123"`, or of a number that an apostrophe keeps as a text."""
    if match := _FORMULA.fullmatch(text):
        plain = (match[1] or match[2] or "").replace('""', '"').strip()
        field.warn("is written as a spreadsheet's formula", text, plain)
    elif field.name not in HTML_FIELDS and (match := _APOSTROPHE.fullmatch(text)):
        plain = match[1]
        field.warn("has a spreadsheet's apostrophe before it", text, plain)
    else:
        return text
    return plain
