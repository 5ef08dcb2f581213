"""Shows and controls the board: the page at `/`, and JSON under `/_sandbox`.

It never shows a key: accounts are known by their names. It omits the query of callback URLs, which holds the client's token.
"""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request, Response

from local.board.callbacks import Attempt
from local.board.faults import Fault
from local.board.imports import SandboxImport, rfc3339
from local.board.job_board import JobBoard
from local.board.messages import ReceivedRequest, error_response, parse_json
from local.board.page import render
from local.web import json_response


def answer(board: JobBoard, request: Request) -> Response:
    """Answer a request for the page or for a path under `/_sandbox`."""
    if (origin := request.headers.get("Origin")) and origin != f"http://{request.headers.get('Host')}":
        return error_response(403, "Pages of other sites may not use this")
    try:
        return _route(board, request)
    except ValueError as error:
        return error_response(422, str(error))


def _route(board: JobBoard, request: Request) -> Response:
    match request.method, request.path.strip("/").split("/"):
        case "GET", [""]:
            policy = "default-src 'none'; style-src 'unsafe-inline'"
            return Response(render(board), headers={"Content-Security-Policy": policy}, mimetype="text/html")
        case "GET", ["_sandbox", "accounts"]:
            return json_response(200, [_account(board, name) for name in board.accounts])
        case "GET", ["_sandbox", "accounts", name, "postings"] if name in board.accounts:
            return json_response(200, board.postings(name))
        case "POST", ["_sandbox", "accounts", name, "postings"] if name in board.accounts:
            return _post(board, name, parse_json(request.get_data()))
        case "GET", ["_sandbox", "imports"]:
            return json_response(200, [_import(job_import) for job_import in board.imports])
        case "POST", ["_sandbox", "imports", import_id, "release"] if board.release(import_id):
            return json_response(200, {"released": import_id})
        case "GET", ["_sandbox", "requests"]:
            return json_response(200, [_received(received) for received in board.requests])
        case method, ["_sandbox", "faults"]:
            return _faults(board, method, request)
    return error_response(404, "Not found")


def _post(board: JobBoard, name: str, job: Any) -> Response:
    if not isinstance(job, dict):
        return error_response(422, "A job must be an object")
    board.post_to(name, job)
    return json_response(201, job)


def _faults(board: JobBoard, method: str, request: Request) -> Response:
    match method:
        case "GET":
            pass
        case "POST":
            board.faults.add(*_faults_in(request))
        case "PUT":
            board.faults.replace(_faults_in(request))
        case "DELETE":
            board.faults.clear()
        case _:
            return error_response(405, "Method not allowed", Allow="GET, POST, PUT, DELETE")
    return json_response(200, board.faults.as_json())


def _faults_in(request: Request) -> list[Fault]:
    body = parse_json(request.get_data())
    return [Fault.from_json(value) for value in (body if isinstance(body, list) else [body])]


def _account(board: JobBoard, name: str) -> dict[str, Any]:
    imports = sum(job_import.account == name for job_import in board.imports)
    return {"name": name, "postings": len(board.postings(name)), "imports": imports}


def _import(job_import: SandboxImport) -> dict[str, Any]:
    return {
        **job_import.as_data(),
        "account": job_import.account,
        "jobs": job_import.job_count,
        "deleteJobs": job_import.delete_jobs,
        "faults": [fault.as_json() for fault in job_import.faults.values()],
        "callbacks": [_attempt(attempt) for attempt in list(job_import.attempts)],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": rfc3339(attempt.at),
        "url": attempt.url,
        "what": attempt.what,
        "status": attempt.status,
        "error": attempt.error,
    }


def _received(received: ReceivedRequest) -> dict[str, Any]:
    return {
        "at": rfc3339(received.at),
        "method": received.method,
        "path": received.path,
        "headers": received.headers,
        "account": received.account,
        "bytes": received.size,
        "status": received.status,
        "fault": received.fault,
    }
