"""
What a call does, as steps: the same for blocking and asyncio clients, which only differ in how they take the steps.
"""
from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Generator, List, Mapping, Optional, Union
from urllib.parse import quote, urlencode

from ._errors import ApiError
from ._operation import CallOptions, NotGiven, Operation
from ._record import Record
from ._retry import RetryRules, is_retryable, pause, retry_after_of


@dataclass(frozen=True)
class Send:
    """A step: send this, and tell what came back."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Optional[str]
    timeout: float
    #: A success is not read: its outcome is Opened.
    stream: bool = False


@dataclass(frozen=True)
class Sleep:
    """A step: wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Renew:
    """A step: get another token than this one; None when there is none."""

    refused: Optional[str]


@dataclass(frozen=True)
class Came:
    """An answer."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """A success that is to be read by whoever asked."""

    response: Any


@dataclass(frozen=True)
class Failed:
    """No answer, and why."""

    error: Exception
    timed_out: bool


@dataclass(frozen=True)
class Settings:
    """What calls are made with."""

    #: Without a slash at its end.
    base_url: str
    timeout: float
    retries: RetryRules
    session_id: Optional[str]


Steps = Generator[Any, Any, Any]


@dataclass(frozen=True)
class _Refusal:
    error: ApiError
    retry_after: Optional[float]


def call(
    settings: Settings,
    tokens: Any,
    operation: Operation,
    path: List[str],
    fields: Mapping[str, Any],
    options: Optional[CallOptions],
) -> Steps:
    """A call: with a token, a bound on time, and repetitions where those do no harm. Returns the answer."""
    wire = _wire_request(settings, operation, path, fields, options or CallOptions())
    answer = yield from _signed_in(settings, tokens, wire, operation.keyed or operation.verb == "GET")
    return operation.answer(answer)


def open_stream(
    settings: Settings, tokens: Any, path: str, last_id: Optional[str], options: Optional[CallOptions]
) -> Steps:
    """Open an event stream, after the event with this id. Returns what was opened."""
    options = options or CallOptions()
    headers = {"Accept": "text/event-stream", **_headers_of(settings, options)}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    timeout = settings.timeout if options.timeout is None else options.timeout
    wire = Send("GET", settings.base_url + path, headers, None, timeout, stream=True)
    return (yield from _signed_in(settings, tokens, wire, True))


def _signed_in(settings: Settings, tokens: Any, wire: Send, repeatable: bool) -> Steps:
    if tokens.due:
        yield Renew(tokens.token)
    token = tokens.token
    answer = yield from _attempts(settings, wire, token, repeatable)
    if isinstance(answer, _Refusal) and answer.error.status == 401 and tokens.renewable:
        token = yield Renew(token)
        answer = yield from _attempts(settings, wire, token, repeatable)
    if isinstance(answer, _Refusal):
        raise answer.error
    return answer


def sign_in(settings: Settings, username: str, password: str, operations: Mapping[str, Operation], previous: Optional[str]) -> Steps:
    """A token: by refreshing the previous one, or else by signing in."""
    if previous is not None:
        wire = _wire_request(settings, operations["refreshToken"], [], {}, CallOptions())
        refreshed = yield from _attempts(settings, wire, previous, operations["refreshToken"].keyed)
        if not isinstance(refreshed, _Refusal):
            return refreshed["access_token"]
        if refreshed.error.status != 401:
            raise refreshed.error
    credentials = {"username": username, "password": password}
    wire = _wire_request(settings, operations["login"], [], credentials, CallOptions())
    answer = yield from _attempts(settings, wire, None, operations["login"].keyed)
    if isinstance(answer, _Refusal):
        raise answer.error
    return answer["access_token"]


def _attempts(settings: Settings, wire: Send, token: Optional[str], repeatable: bool) -> Steps:
    headers = {**wire.headers, **({} if token is None else {"Authorization": f"Bearer {token}"})}
    rules = settings.retries
    deadline = time.monotonic() + rules.total
    failed = 0
    while True:
        timeout = max(0.001, min(wire.timeout, deadline - time.monotonic()))
        outcome: Union[Came, Failed, Opened] = yield replace(wire, headers=headers, timeout=timeout)
        if isinstance(outcome, Opened):
            return outcome.response
        answer = _answer_of(wire, outcome)
        failed += 1
        if not isinstance(answer, _Refusal) or failed >= rules.attempts:
            return answer
        if not is_retryable(answer.error.status, answer.error.code, repeatable):
            return answer
        seconds = pause(rules.first, rules.most, failed, answer.retry_after or 0.0)
        if time.monotonic() + seconds >= deadline:
            return answer
        yield Sleep(seconds)


def _wire_request(
    settings: Settings, operation: Operation, path: List[str], fields: Mapping[str, Any], options: CallOptions
) -> Send:
    given = {name: value for name, value in fields.items() if not isinstance(value, NotGiven)}
    query = {name: _query_text(value) for name, value in given.items() if name in operation.query and value is not None}
    body = {name: _plain(value) for name, value in given.items() if name not in operation.query}
    headers: Dict[str, str] = {"Accept": "application/json", **_headers_of(settings, options)}
    if body:
        headers["Content-Type"] = "application/json"
    if operation.keyed:
        headers["Idempotency-Key"] = options.idempotency_key or str(uuid.uuid4())
    url = settings.base_url + _filled(operation.path, path) + (f"?{urlencode(query)}" if query else "")
    text = json.dumps(body) if body else None
    timeout = settings.timeout if options.timeout is None else options.timeout
    return Send(operation.verb, url, headers, text, timeout)


def _headers_of(settings: Settings, options: CallOptions) -> Dict[str, str]:
    headers: Dict[str, str] = {}
    session = options.session_id or settings.session_id
    if session is not None:
        headers["X-Session-ID"] = session
    if options.request_id is not None:
        headers["X-Request-ID"] = options.request_id
    return headers


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, Record) else value


def _filled(path: str, values: List[str]) -> str:
    if not all(values):
        raise ValueError(f"An id is missing for {path}")
    left = iter(values)
    return re.sub(r"\{\w+\}", lambda _match: quote(str(next(left)), safe=""), path)


def _answer_of(wire: Send, outcome: Union[Came, Failed]) -> Any:
    if isinstance(outcome, Failed):
        code = "TIMEOUT" if outcome.timed_out else "NETWORK_ERROR"
        what = "No answer in time" if outcome.timed_out else "The platform cannot be reached"
        error = ApiError(f"{what}: {wire.method} {wire.url}", code=code)
        error.__cause__ = outcome.error
        return _Refusal(error, None)
    retry_after = retry_after_of(outcome.headers.get("retry-after"))
    try:
        envelope = json.loads(outcome.text)
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict) or "error" not in envelope or (not envelope["error"] and outcome.status >= 300):
        message = f"The answer with status {outcome.status} is not one of the platform"
        request_id = outcome.headers.get("x-request-id")
        error = ApiError(message, code="INVALID_RESPONSE", status=outcome.status, request_id=request_id)
        return _Refusal(error, retry_after)
    told = envelope["error"]
    if not told:
        return envelope["data"]
    request_id = (envelope.get("meta") or {}).get("request_id") or outcome.headers.get("x-request-id")
    error = ApiError(
        told["message"], code=told["code"], status=outcome.status, details=told.get("details"), request_id=request_id
    )
    return _Refusal(error, retry_after)
