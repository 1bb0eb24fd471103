"""Live updates, for asyncio."""
from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Optional

import websockets
from websockets.exceptions import ConnectionClosed

from ._errors import ApiError
from ._inbox import Inbox, LiveMessage
from ._record import Record
from ._retry import pause
from ._subscriptions import Subscriptions, Wanted
from ._tokens import Tokens

#: How long connecting, authenticating and each answer may take, in seconds, and how often a silent side is pinged.
_READY, _ANSWER, _BEAT = 15.0, 30.0, 20.0
#: Failures in a row after which it is given up, and the longest first and longest pause between them, in seconds.
_ATTEMPTS, _FIRST, _MOST = 20, 0.25, 30.0
#: Refused for good: a foreign or expired session, a disabled account, too many connections.
_FINAL = (4403, 4429)


@dataclass(frozen=True)
class LiveSettings:
    """What a live connection is made with."""

    url: str
    #: The token to use, another one than a refused one.
    token: Callable[[Optional[str]], Awaitable[Optional[str]]]
    tokens: Tokens


@dataclass(frozen=True)
class _Waiting:
    answered: asyncio.Future[Dict[str, Any]]
    #: Given the data of the answer, as it comes.
    on_answer: Callable[[Dict[str, Any]], None]


class AsyncLiveConnection:
    """
    Live updates of a session. Connects again with growing pauses when the connection is lost, with the same subscriptions.
    What happened while it was lost is told then, each message once; where the platform does not have it any more, a message
    ``reload`` says what to load anew.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._socket: Any = None
        self._subscriptions = Subscriptions()
        self._waiting: Dict[str, _Waiting] = {}
        self._inbox = Inbox()
        self._ended: Optional[ApiError] = None

    async def __aenter__(self) -> AsyncLiveConnection:
        self._ready = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait([ready, self._task], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._ended:
            raise self._ended
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        self._end(1000, "closed by the client")
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def subscribe(self, channel: str, **scope: Any) -> None:
        """
        Listen to a channel, now and after every reconnection; ``scope`` is what it is about: one of project_id, task_id,
        command_id, queue_name or interval, as it fits the channel. Nothing that happens after this returns is missed. Raises
        ApiError when it is refused.
        """
        wanted = {"channel": channel, **scope}

        def granted(data: Dict[str, Any]) -> None:
            self._subscriptions.add(wanted)
            self._subscriptions.granted(wanted, data, False)

        await self._ask({"type": "subscribe", **wanted}, granted)

    async def unsubscribe(self, channel: str, **scope: Any) -> None:
        """Listen no more."""
        wanted = {"channel": channel, **scope}
        self._subscriptions.remove(wanted)
        await self._ask({"type": "unsubscribe", **wanted})

    async def execute_task(
        self, task_id: str, *, priority: Optional[str] = None, options: Optional[Dict[str, Any]] = None
    ) -> Record:
        """Put a task into a queue, and hear of it."""
        asked = {"type": "execute_task", "task_id": task_id, "priority": priority, "options": options}
        answer = await self._ask({name: value for name, value in asked.items() if value is not None})
        return Record(answer["data"])

    async def get_metrics(self, *metrics: str) -> Record:
        """
        Measure now: ``performance``, and what is asked for besides it, of ``queue_status`` and ``system_health``, comes along.
        """
        answer = await self._ask({"type": "get_metrics", "metrics": list(metrics) or ["performance"]})
        return Record(answer["data"])

    async def ping(self) -> float:
        """Seconds to the platform and back."""
        start = time.monotonic()
        await self._ask({"type": "ping", "timestamp": int(time.time() * 1000)})
        return time.monotonic() - start

    async def listen(self) -> AsyncIterator[LiveMessage]:
        """Messages as they come, until :meth:`close`. Raises ApiError when the connection has ended otherwise."""
        while True:
            message = await self.next_message(None)
            if message is None:
                return
            yield message

    async def next_message(self, timeout: Optional[float]) -> Optional[LiveMessage]:
        """The next message; None after :meth:`close`, or when none has come for so many seconds."""
        return await self._inbox.take(timeout)

    async def _ask(
        self, message: Dict[str, Any], on_answer: Optional[Callable[[Dict[str, Any]], None]] = None
    ) -> Dict[str, Any]:
        request_id = uuid.uuid4().hex
        answered: asyncio.Future[Dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = _Waiting(answered, on_answer or (lambda _data: None))
        try:
            return await asyncio.wait_for(self._answer(answered, {**message, "request_id": request_id}), _ANSWER)
        except asyncio.TimeoutError:
            raise ApiError("No answer in time", code="TIMEOUT") from None
        finally:
            self._waiting.pop(request_id, None)

    async def _answer(self, answered: asyncio.Future[Dict[str, Any]], message: Dict[str, Any]) -> Dict[str, Any]:
        await self._ready.wait()
        if self._ended:
            raise self._ended
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as closed:
            raise ApiError("The live connection was lost", code="CONNECTION_CLOSED") from closed
        return await answered

    async def _run(self) -> None:
        failures = refusals = 0
        refused: Optional[str] = None
        ever_ready = False
        while not self._ended:
            token = None
            was_ready = False
            try:
                token = await self._settings.token(refused)
                refused = None
                async with websockets.connect(
                    self._settings.url, open_timeout=_READY, ping_interval=_BEAT, ping_timeout=_BEAT, max_size=2**24
                ) as socket:
                    await socket.send(json.dumps({"type": "authenticate", "token": token or ""}))
                    first = json.loads(await asyncio.wait_for(socket.recv(), _READY))
                    if first["type"] == "authenticated":
                        self._socket = socket
                        attempts, failures, refusals, was_ready = failures, 0, 0, True
                        self._ready.set()
                        await self._serve(socket, attempts if ever_ready else None)
                    else:
                        self._inbox.hold(first)
                        await asyncio.wait_for(socket.recv(), _READY)
                code, reason = 1006, "lost"
            except asyncio.CancelledError:
                raise
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                reason = closed.rcvd.reason if closed.rcvd else "lost"
            except ApiError as error:
                code, reason = (4401 if error.is_unauthenticated else 1006), str(error)
            except Exception as error:  # Whatever keeps the connection from being made: it is tried again, within bounds.
                code, reason = 1006, str(error) or type(error).__name__
            ever_ready = ever_ready or was_ready
            failures += 1
            self._ready.clear()
            self._lose()
            if code == 4401:
                refusals += 1
                refused = token
            hopeless = code == 4401 and (refusals > 1 or not self._settings.tokens.renewable)
            if code in _FINAL or hopeless or failures >= _ATTEMPTS:
                return self._end(code, reason)
            if was_ready:
                self._inbox.hold({"type": "disconnected", "data": {"code": code, "reason": reason}})
            asked = _restart_pause(code, reason)
            await asyncio.sleep(pause(_FIRST, _MOST, failures) if asked is None else asked)

    async def _serve(self, socket: Any, attempts: Optional[int]) -> None:
        chores = [asyncio.ensure_future(self._keep_signed_in(socket))]
        if attempts is not None:
            chores.append(asyncio.ensure_future(self._restore(attempts)))
        try:
            async for text in socket:
                message = json.loads(text)
                if not self._subscriptions.hear(message):
                    continue
                if message["type"] == "caught_up":
                    self._subscriptions.caught_up(message["data"])
                waiting = self._waiting.get(message.get("request_id", ""))
                if waiting and not waiting.answered.done():
                    if message["type"] == "error":
                        waiting.answered.set_exception(_error_of(message))
                    else:
                        # Before anything that comes after it.
                        waiting.on_answer(message.get("data", {}))
                        waiting.answered.set_result(message)
                self._inbox.hold(message)
            # Iterating ends without a word when the other side closes as usual.
            raise ConnectionError(f"closed {socket.close_code}")
        finally:
            for chore in chores:
                chore.cancel()

    async def _restore(self, attempts: int) -> None:
        asked = [self._subscribe_again(wanted, request) for wanted, request in self._subscriptions.again()]
        await asyncio.gather(*asked, return_exceptions=True)
        self._inbox.hold({"type": "reconnected", "data": {"attempts": attempts}})

    async def _subscribe_again(self, wanted: Wanted, request: Wanted) -> None:
        def granted(data: Dict[str, Any]) -> None:
            if self._subscriptions.granted(wanted, data, True):
                self._inbox.hold({"type": "reload", "data": wanted})

        try:
            await self._ask({"type": "subscribe", **request}, granted)
        except ApiError as error:
            # It is not asked again in vain, unless the connection was lost once more.
            if error.status != 0:
                self._subscriptions.remove(wanted)

    async def _keep_signed_in(self, socket: Any) -> None:
        while self._settings.tokens.renewable:
            # In steps: a timer of the far future is too long for some systems, and clocks are set.
            await asyncio.sleep(max(1.0, min(60.0, self._settings.tokens.renew_at - time.time())))
            if not self._settings.tokens.due:
                continue
            try:
                token = await self._settings.token(None)
            except ApiError:
                # The present token is good for a while; when it is not, the connection is made again with another.
                continue
            await socket.send(json.dumps({"type": "authenticate", "token": token}))

    def _lose(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.answered.done():
                waiting.answered.set_exception(ApiError("The live connection was lost", code="CONNECTION_CLOSED"))

    def _end(self, code: int, reason: str) -> None:
        if self._ended:
            return
        message = f"The live connection has ended: {code} {reason}"
        self._ended = ApiError(message, code="CONNECTION_CLOSED", details={"code": code, "reason": reason})
        self._lose()
        self._ready.set()
        self._inbox.close(None if code == 1000 else self._ended)


def _restart_pause(code: int, reason: str) -> Optional[float]:
    """Seconds after which to come back, as a side that restarts has asked; None when it has not."""
    if code != 1012:
        return None
    try:
        return min(_MOST, max(0.0, float(json.loads(reason)["retry_after_ms"]) / 1000))
    except (KeyError, TypeError, ValueError):
        return None


def _error_of(message: Dict[str, Any]) -> ApiError:
    data = message["data"]
    return ApiError(
        data["message"],
        code=data["code"],
        status=400,
        details=data.get("details"),
        request_id=message.get("request_id"),
    )
