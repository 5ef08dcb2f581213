"""Every cause and every objection has its advice."""

from __future__ import annotations

from jobferry.errors import Cause
from jobferry.notices.advice.causes import BY_CAUSE, BY_OBJECTION
from jobferry.records.imports import Objection


def test_every_cause_has_a_row() -> None:
    assert set(BY_CAUSE) == set(Cause)


def test_every_objection_has_a_row() -> None:
    assert set(BY_OBJECTION) == set(Objection)
