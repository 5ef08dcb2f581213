"""The board's API: the job imports of its page, and the jobs resource, which deletes by reference number."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from local.board.job_board import API_PATH, JobBoard
from local.board.jobs import BoardJob, reference_number
from local.board.messages import error_response, parse_json
from local.web import json_response


def answer(board: JobBoard, request: Request) -> Response:
    """Answer a request whose path is under `API_PATH`."""
    account = board.account_name(api_key(request.headers.get("Authorization")))
    if account is None:
        return unauthorized()
    try:
        return _route(board, account, request)
    except _RefusedError as refused:
        return error_response(refused.status, str(refused))


class _RefusedError(Exception):
    """The request is refused and changes nothing."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _route(board: JobBoard, account: str, request: Request) -> Response:
    match request.method, request.path.removeprefix(API_PATH).strip("/").split("/"):
        case "POST", ["job-imports"]:
            return _create(board, account, request)
        case "GET", ["job-imports", import_id]:
            return _retrieve(board, account, import_id)
        case "GET", ["jobs.json"]:
            return json_response(200, list(board.postings(account).values()))
        case "POST", ["jobs.json"]:
            return json_response(200, board.upsert(account, _jobs(_body(request))))
        case "DELETE", ["jobs.json"]:
            return json_response(200, {"deleted": len(board.delete(account, _reference_numbers(_body(request))))})
        case _, ["job-imports"]:
            return error_response(405, "Method not allowed", Allow="POST")
        case _, ["job-imports", _]:
            return error_response(405, "Method not allowed", Allow="GET")
        case _, ["jobs.json"]:
            return error_response(405, "Method not allowed", Allow="GET, POST, DELETE")
        case _:
            return error_response(404, "Not found")


def api_key(authorization: str | None) -> str | None:
    """Return the API key of an `Authorization` header: HTTP Basic with the key as user name and an empty password."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if not password else None


def unauthorized() -> Response:
    return error_response(401, "The API key is missing or wrong", WWW_Authenticate='Basic realm="job board"')


def not_found() -> Response:
    return error_response(404, "There is no such job import")


def _body(request: Request) -> Any:
    """Parse the JSON of a request's body."""
    if request.mimetype != "application/json":
        raise _RefusedError(415, "The body must be application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise _RefusedError(415, "The body must not be compressed")
    try:
        return parse_json(request.get_data())
    except ValueError as error:
        raise _RefusedError(400, f"The body is not JSON: {error}") from error


def _jobs(body: Any) -> list[BoardJob]:
    if not isinstance(body, list) or not all(isinstance(job, dict) for job in body):
        raise _RefusedError(422, "The body must be a list of objects")
    return body


def _reference_numbers(body: Any) -> list[str]:
    numbers = []
    for value in body if isinstance(body, list) else [None]:
        number = reference_number({"referenceNumber": value})
        if number is None:
            raise _RefusedError(422, "The body must be a list of reference numbers")
        numbers.append(number)
    return numbers


def _create(board: JobBoard, account: str, request: Request) -> Response:
    body = _body(request)
    if mistake := _mistake(body):
        raise _RefusedError(422, mistake)
    created = board.accept(
        account, body["jobs"], delete_jobs=body.get("deleteJobs") or False, callback_url=body.get("callbackUrl")
    )
    return json_response(202, created)


def _retrieve(board: JobBoard, account: str, import_id: str) -> Response:
    found = board.find(import_id)
    if found is None or found.account != account:
        return not_found()
    return json_response(200, board.describe(found))


def _mistake(body: Any) -> str | None:
    """Return why a body is not a job import, or None."""
    if not isinstance(body, dict):
        return "The body must be an object"
    if not isinstance(jobs := body.get("jobs"), list):
        return "jobs is required and must be a list of objects"
    for index, job in enumerate(jobs):
        if not isinstance(job, dict):
            return f"jobs[{index}] must be an object"
    if not isinstance(body.get("deleteJobs"), bool | None):
        return "deleteJobs must be a boolean"
    if not _is_url(body.get("callbackUrl")):
        return "callbackUrl must be an http or https URL"
    return None


def _is_url(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
