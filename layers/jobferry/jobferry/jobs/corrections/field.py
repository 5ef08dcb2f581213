"""One field of a row while it is corrected, and the error for a value that cannot be corrected."""

from jobferry.jobs.warnings import RowWarning, quoted


class CannotCorrectError(ValueError):
    """The value cannot be corrected. The message follows the field's name."""


class FieldCorrection:
    """The correction of one field, with the warnings about it.

    Attributes:
        name: the field's, one of the board's.
        typed: whether the format has JSON's types, so that a number written as a text deserves a warning.
        warnings: what was corrected.
    """

    def __init__(self, name: str, *, typed: bool) -> None:
        self.name = name
        self.typed = typed
        self.warnings: list[RowWarning] = []

    def warn(self, fault: str, value: object, corrected: object) -> None:
        """Warn that the value has this fault, which follows "it", and was corrected."""
        self._warn(fault, f"{quoted(value)} is sent as {quoted(corrected)}: it {fault}")

    def warn_of_form(self, form: str, value: object, corrected: object) -> None:
        """Warn that the value was written in this form, which the value itself shows."""
        self._warn(form, f"{quoted(value)} is sent as {quoted(corrected)}")

    def leave_out(self, value: object) -> None:
        """Warn that the value stands for none, and is not sent."""
        self._warn("none", f"{quoted(value)} is left out: it stands for no value")

    def _warn(self, fault: str, message: str) -> None:
        self.warnings.append(RowWarning((self.name, fault), f"{self.name}: {message}", adjusted=self.name))
