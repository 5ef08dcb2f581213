"""One field of a row while it is corrected, and the error for a value that cannot be corrected."""

from typing import Final

from jobferry.jobs.warnings import MAX_QUOTED, RowWarning, quoted

#: Faults of a value's form.
_FORMS: Final = frozenset(
    {
        "is not the two-letter code",
        "has a decimal point",
        "is a text",
        "is a number",
        "lost its leading zero",
        "is not written as a ZIP",
        "is not written with two decimal places",
        "is not written as year-month-day",
        "holds several values in one text",
        "is several values in one text",
    }
)


class CannotCorrectError(ValueError):
    """The value cannot be corrected. The message follows the field's name."""


class FieldCorrection:
    """The correction of one field, with the warnings about it.

    Attributes:
        name: the field's.
        typed: whether the format has JSON's types, so that a number written as a text deserves a warning.
        warnings: what was corrected.
    """

    def __init__(self, name: str, *, typed: bool) -> None:
        self.name = name
        self.typed = typed
        self.warnings: list[RowWarning] = []

    def warn(self, fault: str, value: object, corrected: object) -> None:
        """Warn that the value has this fault, and was corrected. A fault of its form can be seen without being named."""
        why = "" if fault in _FORMS else f": it {fault}"
        self._warn(fault, f"{quoted(value)} is sent as {quoted(corrected)}{why}")

    def leave_out(self, value: object) -> None:
        """Warn that the value stands for none, and is not sent."""
        self._warn("none", f"{quoted(value)} is left out: it stands for no value")

    def _warn(self, fault: str, message: str) -> None:
        name = self.name[:MAX_QUOTED]
        self.warnings.append(RowWarning((name, fault), f"{name}: {message}", adjusted=name))
