"""The HTTP API on this machine: turns requests into events of payload format 2.0, and functions' answers into responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.wrappers import Request, Response

from local.aws_account import ACCOUNT
from local.functions import Functions, InvocationResult
from local.template import Resource, TemplateError
from local.web import WebServer, json_response

BODY_LIMIT: Final = 10 * 2**20
#: Lambda accepts no larger event. API Gateway then answers by itself.
EVENT_LIMIT: Final = 6 * 2**20
_FUNCTION: Final = re.compile(r"functions/(arn:[^/]+)/invocations")
_TEXT: Final = re.compile(r"text/.*|application/(.+\+)?(json|xml|javascript)|application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Route:
    """A route, such as `POST /callbacks/{importId}`, and its function."""

    method: str
    path: str
    function_arn: str

    def matches(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path's parameters, or None if this is not the request's route."""
        expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(expression, path) if method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


class HttpApi(WebServer):
    """Serves the routes of the template's HTTP API as soon as it is connected. It does not throttle."""

    _functions: Functions
    _api_id: str

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._routes: list[Route] = []
        super().__init__(self._answer, host)

    def connect(self, api: Resource, functions: Functions) -> None:
        """Serve this API from now on. It is made later than this server, since its `ApiEndpoint` is this server's URL."""
        self._routes, self._functions, self._api_id = list(routes(api)), functions, api.ref

    def _answer(self, request: Request) -> Response:
        if (request.content_length or 0) > BODY_LIMIT:
            return _message(413, "Request Entity Too Large")
        path = urlsplit(request.environ["RAW_URI"]).path
        for route in self._routes:
            parameters = route.matches(request.method, path)
            if parameters is not None:
                event = self._event(request, route, parameters)
                if len(json.dumps(event)) > EVENT_LIMIT:
                    return _message(413, "Request Entity Too Large")
                outcome = self._functions[route.function_arn].invoke(event)
                return response(outcome)
        return _message(404, "Not Found")

    def _event(self, request: Request, route: Route, parameters: dict[str, str]) -> dict[str, Any]:
        parts = urlsplit(request.environ["RAW_URI"])
        now = datetime.now(UTC)
        headers = {name.lower(): value for name, value in request.headers.items()}
        query: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        key = f"{route.method} {route.path}"
        domain = f"{self._api_id}.execute-api.us-east-1.amazonaws.com"
        event = {
            "version": "2.0",
            "routeKey": key,
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": self._api_id,
                "domainName": domain,
                "domainPrefix": self._api_id,
                "http": {
                    "method": request.method,
                    "path": parts.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": request.remote_addr,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": str(uuid.uuid4()),
                "routeKey": key,
                "stage": "$default",
                "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
                "timeEpoch": int(now.timestamp() * 1000),
            },
            "isBase64Encoded": False,
        }
        if query:
            event["queryStringParameters"] = query
        if parameters:
            event["pathParameters"] = parameters
        return event | _body(request)


def routes(api: Resource) -> Iterator[Route]:
    """Read the routes from SAM's OpenAPI document. Raises TemplateError for integrations of another kind."""
    for path, methods in api.properties["Body"]["paths"].items():
        for method, operation in methods.items():
            integration = operation["x-amazon-apigateway-integration"]
            function = _FUNCTION.search(integration["uri"])
            if function is None or integration["payloadFormatVersion"] != "2.0":
                raise TemplateError(
                    f"{api.logical_id}: {method} {path} does not invoke a function with payload format 2.0"
                )
            yield Route(method.upper(), path, function[1])


def response(outcome: InvocationResult) -> Response:
    """Turn the outcome of an invocation into the API's response."""
    if outcome.failed:
        return _message(500, "Internal Server Error")
    payload = outcome.payload
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return json_response(200, payload)
    body = payload.get("body") or ""
    try:
        content = base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") else body.encode()
        status = int(payload["statusCode"])
    except (AttributeError, TypeError, ValueError, binascii.Error):
        return _message(500, "Internal Server Error")
    headers = {str(name): str(value) for name, value in (payload.get("headers") or {}).items()}
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "text/plain;charset=UTF-8"
    return Response(content, status, headers)


def _body(request: Request) -> dict[str, Any]:
    body = request.get_data()
    if not body:
        return {}
    if _TEXT.fullmatch(request.mimetype or "text/plain"):
        with contextlib.suppress(UnicodeDecodeError):
            return {"body": body.decode()}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _message(status: int, text: str) -> Response:
    return json_response(status, {"message": text})
