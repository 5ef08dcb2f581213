"""States: `Texas`, `tx` and `T.X.` are TX."""

import re
from typing import Any, Final

from jobferry.jobs.corrections.field import CannotCorrectError, FieldCorrection
from jobferry.jobs.corrections.texts import correct_text
from jobferry.jobs.vocabulary import STATE_CODES, STATES
from jobferry.jobs.warnings import quoted

_PUNCTUATION: Final = re.compile(r"[^\w\s]")


def correct_state(field: FieldCorrection, value: Any) -> str:
    """Return the state's two-letter code."""
    text = correct_text(field, value)
    letters = " ".join(_PUNCTUATION.sub("", text).split()).casefold()
    code = letters.upper() if letters.upper() in STATES else STATE_CODES.get(letters)
    if code is None:
        raise CannotCorrectError(f"{quoted(text)} is not a state of the USA: its two-letter code is needed, such as PA")
    if code != text:
        field.warn_of_form("words", text, code)
    return code
