"""The board's API as its page on job imports describes it: `POST job-imports` and `GET job-imports/{id}`."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from local.board.job_board import API_PATH, JobBoard
from local.board.messages import error_response, parse_json
from local.web import json_response


def answer(board: JobBoard, request: Request) -> Response:
    """Answer a request whose path is under `API_PATH`."""
    account = board.account_name(api_key(request.headers.get("Authorization")))
    if account is None:
        return unauthorized()
    match request.method, request.path.removeprefix(API_PATH).strip("/").split("/"):
        case "POST", ["job-imports"]:
            return _create(board, account, request)
        case "GET", ["job-imports", import_id]:
            return _retrieve(board, account, import_id)
        case _, ["job-imports"]:
            return error_response(405, "Method not allowed", Allow="POST")
        case _, ["job-imports", _]:
            return error_response(405, "Method not allowed", Allow="GET")
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


def _create(board: JobBoard, account: str, request: Request) -> Response:
    if request.mimetype != "application/json":
        return error_response(415, "The body must be application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return error_response(415, "The body must not be compressed")
    try:
        body = parse_json(request.get_data())
    except ValueError as error:
        return error_response(400, f"The body is not JSON: {error}")
    if mistake := _mistake(body):
        return error_response(422, mistake)
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
