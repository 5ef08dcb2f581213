"""Reference numbers that cannot be what the agency's system has: spreadsheets and failing exports garble them.

A row with such a number says nothing about the posting that it came from, so it protects none.
"""

import re
from typing import Final

#: Characters. No agency's system has longer reference numbers.
_MAX_LENGTH: Final = 255
_NO_VALUE: Final = frozenset(
    {"n/a", "na", "null", "nan", "none", "nil", "undefined", "-", "--", "\\n", "(null)", "[object object]"}
)
_SPREADSHEET_ERROR: Final = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|#+)", re.IGNORECASE)
#: As spreadsheets and Java write large numbers. 12E4 may be right.
_SCIENTIFIC: Final = re.compile(r"[0-9]+(?:[.,][0-9]+E\+?|E\+)[0-9]+", re.IGNORECASE)
_FORMULA: Final = re.compile(r"=\s*\".*|'[0-9]+")
_DECIMAL: Final = re.compile(r"[0-9]+\.0+")
_MARKUP: Final = re.compile(r"<[A-Za-z/!?]|&(?:nbsp|amp|lt|gt|quot|#[0-9]+);", re.IGNORECASE)
#: What databases, web servers and query tools write where a row should be, in several words.
_MESSAGE: Final = re.compile(
    r"\bORA-[0-9]{5}\b|\bMsg [0-9]+$|\bSQLSTATE\b|\btraceback\b|\b(?:warning|notice|deprecated):"
    r"|\b(?:error|fatal|exception|timeout|timed out|failed|failure|aborted|terminated|denied|end-of-file)\b"
    r"|\b(?:unable to|could not|cannot)\b|\bconnection (?:was )?(?:lost|closed|reset|refused)\b"
    r"|\brows? (?:affected|selected|returned|exported)\b",
    re.IGNORECASE,
)
_SEVERAL_WORDS: Final = re.compile(r"[\s:]")
#: Characters that are invisible although Python calls them printable: fillers, blanks and selectors of glyphs.
_BLANKS: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0]")


def fault_of(reference: str) -> str | None:
    """Return what is wrong with a reference number, to follow its value; None if it may be right."""
    if reference.isascii() and reference.replace("-", "").isalnum():  # nearly all are
        return _NOTHING if reference.casefold() in _NO_VALUE else None
    if reference.casefold() in _NO_VALUE:
        return _NOTHING
    if len(reference) > _MAX_LENGTH:
        return f"is longer than {_MAX_LENGTH} characters: is a quotation mark or a separator missing?"
    if "\n" in reference or "\r" in reference:
        return "has a line break in it: is a quotation mark in the wrong place?"
    hidden = next((each for each in reference if not each.isprintable()), None) or _BLANKS.search(reference)
    if hidden is not None:
        code = ord(hidden if isinstance(hidden, str) else hidden[0])
        return f"has an invisible character in it (U+{code:04X}): export it without"
    if "\ufffd" in reference:
        return "has a character in it that a program could not decode: export it as UTF-8"
    if _SCIENTIFIC.fullmatch(reference):
        return "was shortened by a spreadsheet: format the column as text and export the full number"
    if _FORMULA.fullmatch(reference):
        return "is written as a spreadsheet's formula or text: export the plain value"
    if _DECIMAL.fullmatch(reference):
        return "was made a decimal number by a program: export it as text"
    if _SPREADSHEET_ERROR.fullmatch(reference):
        return "is a spreadsheet's error: correct its formula"
    if _MARKUP.search(reference):
        return "has HTML in it: did the export fail there?"
    if _SEVERAL_WORDS.search(reference) and _MESSAGE.search(reference):
        return "looks like a program's message: did the export fail there?"
    return None


_NOTHING: Final = "stands for no value"
