"""Reference numbers that cannot be what the agency's system has: spreadsheets and failing exports garble them.

A row with such a number says nothing about the posting that it came from, so it protects none.
"""

import re
from typing import Final

#: A reference number with anything but letters, digits and hyphens in it has no more characters.
_MAX_LENGTH: Final = 255
#: What people and programs write for no value, in lower case.
WORDS_FOR_NONE: Final = frozenset({
    "n/a", "#n/a", "na", "<na>", "null", "(null)", "[null]", "<null>", "nan", "nat", "none", "nil", "undefined", "-", "--", "\\n",
})  # fmt: skip
_ERROR: Final = re.compile(
    r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!|BUSY!|UNKNOWN!|EXTERNAL!|PYTHON!"
    r"|GETTING_DATA|ERROR!?|DELETED|#+"
    # in German, French and Spanish
    r"|NV|BEZUG!|WERT!|ZAHL!|VALEUR!|NOM\?|NOMBRE!|NUL!|N/D|¡(?:REF|VALOR|DIV/0|NULO|NUM)!|¿NOMBRE\?)|\[object \w+\]|Err:[0-9]{3}",
    re.IGNORECASE,
)
#: As spreadsheets and Java write large numbers. 12E4 may be right.
_SCIENTIFIC: Final = re.compile(r"[0-9]+(?:[.,][0-9]+E\+?|E\+)[0-9]+", re.IGNORECASE)
SHORTENED: Final = "was shortened by a spreadsheet: format the column as text and export the full number"
_FORMULA: Final = re.compile(r"=\s*\".*|'[0-9][\w.,:/$+-]*")
_DECIMAL: Final = re.compile(r"[0-9]+\.0+")
_LONGEST_DATE: Final = len("2024-03-02T00:00:00")
#: What spreadsheets make of `3-2`, `3/2/24` and `true`. It may be a number of the agency's, so it is sent.
_MAY_BE_CONVERTED: Final = re.compile(
    r"(?:[0-9]{1,2}-)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:-[0-9]{2,4})?|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?: 0:00)?"
    r"|(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?:[T ]00:00(?::00)?)?|TRUE|FALSE"
)
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
#: Spaces other than the plain one, marks, fillers, blanks and selectors of glyphs: they cannot be seen and say nothing.
INVISIBLE: Final = re.compile(
    "[\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e\u2000-\u200f\u202a-\u202f\u205f-\u206f\u2800\u3000\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f]"
)


def is_error_value(text: str) -> bool:
    """Decide whether a text is what spreadsheets and scripts write instead of a value that they could not compute."""
    return _ERROR.fullmatch(text) is not None


def may_be_converted(reference: str) -> bool:
    """Decide whether a reference number looks like a date or a truth value that a spreadsheet may have made of it."""
    return len(reference) <= _LONGEST_DATE and _MAY_BE_CONVERTED.fullmatch(reference) is not None


def fault_of(reference: str) -> str | None:
    """Return what is wrong with a reference number, to follow its value; None if it may be right."""
    if reference.casefold() in WORDS_FOR_NONE:
        return "stands for none"
    if reference.isascii() and reference.replace("-", "").isalnum():
        return None
    if len(reference) > _MAX_LENGTH:
        return f"is longer than {_MAX_LENGTH} characters: is a quotation mark or a separator missing?"
    if "\n" in reference or "\r" in reference:
        return "has a line break in it: is a quotation mark in the wrong place?"
    hidden = next((each for each in reference if not each.isprintable()), None) or INVISIBLE.search(reference)
    if hidden is not None:
        code = ord(hidden if isinstance(hidden, str) else hidden[0])
        return f"has an invisible character in it (U+{code:04X}): export it without"
    if "\ufffd" in reference:
        return "has a character in it that a program could not decode: export it as UTF-8"
    if _SCIENTIFIC.fullmatch(reference):
        return SHORTENED
    if _FORMULA.fullmatch(reference):
        return "is written as a spreadsheet's formula or text: export the plain value"
    if _DECIMAL.fullmatch(reference):
        return "has more digits than a spreadsheet keeps: format the column as text and export the full number"
    if is_error_value(reference):
        return "is an error of a spreadsheet or script: correct it where the value comes from"
    if _MARKUP.search(reference):
        return "has HTML in it: did the export fail there?"
    if _SEVERAL_WORDS.search(reference) and _MESSAGE.search(reference):
        return "looks like a program's message: did the export fail there?"
    return None
