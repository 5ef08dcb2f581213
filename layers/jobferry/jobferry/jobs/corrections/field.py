"""One field of a row while it is corrected, and the error for a value that cannot be corrected."""

from jobferry.jobs.warnings import RowWarning, field_warning, quoted


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
        """Warn that the value has this fault, and was corrected."""
        message = f"{quoted(value)} {fault}, sent as {quoted(corrected)}"
        self.warnings.append(field_warning(self.name, fault, message))

    def leave_out(self, value: object) -> None:
        """Warn that the value stands for none, and is not sent."""
        self.warnings.append(field_warning(self.name, "none", f"{quoted(value)} stands for no value, not sent"))
