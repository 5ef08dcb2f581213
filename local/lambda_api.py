"""Lambda's Invoke API, which boto3 in the functions uses (AWS_ENDPOINT_URL_LAMBDA).

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
import re
from typing import Final

from werkzeug.wrappers import Request, Response

from local.functions import Functions
from local.invocations import Invocations
from local.web import WebServer, json_response

_INVOKE: Final = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
SYNCHRONOUS_LIMIT: Final = 6 * 2**20
ASYNCHRONOUS_LIMIT: Final = 2**20


class LambdaApi(WebServer):
    """Answers only `POST /2015-03-31/functions/{name}/invocations`, as soon as it is connected."""

    _functions: Functions
    _invocations: Invocations

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(self._answer, host)

    def connect(self, functions: Functions, invocations: Invocations) -> None:
        """Invoke these functions from now on. They are made later than this server, since their environment has its URL."""
        self._functions, self._invocations = functions, invocations

    def _answer(self, request: Request) -> Response:
        if (request.content_length or 0) > SYNCHRONOUS_LIMIT:
            return _too_large(SYNCHRONOUS_LIMIT)
        match = _INVOKE.fullmatch(request.path)
        if match is None or request.method != "POST":
            return _error(
                404, "ResourceNotFoundException", f"only Invoke is supported, not {request.method} {request.path}"
            )
        name = match[1]
        try:
            function = self._functions[name]
        except KeyError:
            return _error(404, "ResourceNotFoundException", f"Function not found: {name}")
        try:
            event = json.loads(request.get_data() or b"{}")
        except ValueError as error:
            return _error(400, "InvalidRequestContentException", f"Could not parse request body into json: {error}")
        match request.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "DryRun":
                return Response(status=204)
            case "Event":
                if len(request.get_data()) > ASYNCHRONOUS_LIMIT:
                    return _too_large(ASYNCHRONOUS_LIMIT)
                self._invocations.start(function.name, event)
                return Response(status=202)
        outcome = function.invoke(event)
        failed = {"X_Amz_Function_Error": "Unhandled"} if outcome.failed else {}
        return json_response(200, outcome.payload, X_Amz_Executed_Version="$LATEST", **failed)


def _too_large(limit: int) -> Response:
    return _error(
        413, "RequestTooLargeException", f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    )


def _error(status: int, type_: str, message: str) -> Response:
    return json_response(status, {"Type": "User", "Message": message}, x_amzn_ErrorType=type_)
