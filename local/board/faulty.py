"""Answers that are wrong on purpose."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime

from local.board import api
from local.board.faults import Fault
from local.board.job_board import JobBoard
from local.board.messages import Answer, error_answer


def instead_of(fault: Fault, board: JobBoard) -> Answer | None:
    """The answer given in place of the right one, before anything is accepted; None when the fault is another."""
    match fault.name:
        case "too_many_requests":
            return error_answer(429, "Too many requests", **_retry_after(fault, board))
        case "error_before":
            return error_answer(fault["status"], "Something went wrong", **_retry_after(fault, board))
        case "redirect":
            location = fault["location"] or f"{board.origin}/elsewhere"
            return error_answer(fault["status"], "Moved", Location=location)
        case "unauthorized":
            return api.unauthorized()
        case "not_found":
            return api.not_found()
    return None


def _retry_after(fault: Fault, board: JobBoard) -> dict[str, str]:
    seconds = fault["retry_after"]
    if seconds is None:
        return {}
    if fault.parameters.get("as_date"):
        return {"Retry_After": format_datetime(board.clock() + timedelta(seconds=seconds), usegmt=True)}
    return {"Retry_After": str(seconds)}


def spoiled(answer: Answer, fault: Fault) -> Answer:
    """The right answer gone wrong, after the import was accepted; as it is when the fault is another."""
    match fault.name:
        case "error_after":
            return error_answer(fault["status"], "Something went wrong")
        case "garbage":
            return Answer(answer.status, b"\x00\xff{]not JSON", answer.content_type)
        case "wrong_content_type":
            return Answer(answer.status, answer.body, fault["content_type"])
        case "no_id":
            body = json.loads(answer.body)
            body.get("data", {}).pop("id", None)
            return Answer(answer.status, json.dumps(body).encode())
    return answer
