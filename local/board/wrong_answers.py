"""Responses that are wrong on purpose."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime

from werkzeug.wrappers import Response

from local.board import api
from local.board.faults import Fault
from local.board.job_board import JobBoard
from local.board.messages import error_response
from local.web import json_response


def refusal(fault: Fault, board: JobBoard) -> Response | None:
    """Return the response of a fault that refuses the request before anything is accepted; None for other faults."""
    match fault.name:
        case "too_many_requests":
            return error_response(429, "Too many requests", **_retry_after(fault, board))
        case "error_before":
            return error_response(fault["status"], "Something went wrong", **_retry_after(fault, board))
        case "redirect":
            location = fault["location"] or f"{board.origin}/elsewhere"
            return error_response(fault["status"], "Moved", Location=location)
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


def spoiled_response(response: Response, fault: Fault) -> Response:
    """Spoil the right response, after the request did its work; return it unchanged for other faults."""
    body, status = response.get_data(), response.status_code
    match fault.name:
        case "error_after":
            return error_response(fault["status"], "Something went wrong")
        case "garbage":
            return Response(b"\x00\xff{]not JSON", status, content_type="application/json")
        case "half_body":
            half = Response(body[: len(body) // 2], status, content_type="application/json")
            half.content_length = len(body)
            return half
        case "wrong_content_type":
            return Response(body, status, content_type=fault["content_type"])
        case "no_id":
            document = json.loads(body)
            if "data" in document:  # only job imports have an id
                del document["data"]["id"]
            return json_response(status, document)
    return response
