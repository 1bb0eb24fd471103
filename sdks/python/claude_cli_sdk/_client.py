"""The clients: blocking, and for asyncio."""
from __future__ import annotations

import asyncio
import inspect
import re
import threading
import time
from typing import Any, Generator, List, Mapping, Optional, Union
from urllib.parse import quote

import httpx

from ._commands import AsyncStreamingCommands, StreamingCommands
from ._exchange import Came, Failed, Opened, Renew, Send, Settings, Sleep, Steps, call, open_stream, sign_in
from ._live import AsyncLiveConnection, LiveSettings
from ._live_blocking import LiveConnection
from ._operation import CallOptions, Operation
from ._retry import RetryRules
from ._tokens import Provide, TokenProvider, Tokens
from .gen.resources import AsyncResources, Resources, operations


class _Base:
    """What both clients are made of."""

    def __init__(
        self,
        base_url: str,
        token: Union[str, TokenProvider, None],
        username: Optional[str],
        password: Optional[str],
        session_id: Optional[str],
        timeout: float,
        retries: Optional[RetryRules],
    ) -> None:
        if (username is None) != (password is None):
            raise TypeError("Give username and password together")
        if token is not None and username is not None:
            raise TypeError("Give a token or username and password, not both")
        settings = Settings(base_url.rstrip("/"), timeout, retries or RetryRules(), session_id)

        def by_signing_in(previous: Optional[str]) -> Generator[Any, Any, str]:
            return sign_in(settings, username or "", password or "", operations, previous)

        self._settings = settings
        self._tokens = Tokens(token, by_signing_in if username is not None else None)

    def _live_url(self, session_id: str) -> str:
        base = re.sub(r"/api$", "", re.sub(r"^http", "ws", self._settings.base_url))
        return f"{base}/ws/{quote(session_id, safe='')}"

    def _steps(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> Steps:
        return call(self._settings, self._tokens, operation, path, fields, options)


class AsyncClaudeCliClient(AsyncResources, _Base):
    """
    A client for asyncio. ``token`` is a JWT, an API key, or a function (of asyncio or not) that gives one whenever another is
    needed; ``username`` and ``password`` instead sign in, and the token is refreshed before it expires. Times are in seconds.
    """

    def __init__(
        self,
        base_url: str,
        token: Union[str, TokenProvider, None] = None,
        *,
        username: Optional[str] = None,
        password: Optional[str] = None,
        session_id: Optional[str] = None,
        timeout: float = 30.0,
        retries: Optional[RetryRules] = None,
    ) -> None:
        _Base.__init__(self, base_url, token, username, password, session_id, timeout, retries)
        AsyncResources.__init__(self, self._perform)
        self.commands: AsyncStreamingCommands = AsyncStreamingCommands(self._perform, self)
        self._http = httpx.AsyncClient()
        self._lock: Optional[asyncio.Lock] = None
        self.websocket = _AsyncWebsocket(self)

    async def aclose(self) -> None:
        """Close the connections to the platform. Live connections are closed by themselves."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClaudeCliClient:
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self.aclose()

    async def _perform(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> Any:
        return await self._take(self._steps(operation, path, fields, options))

    async def _take(self, steps: Steps) -> Any:
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            if isinstance(step, Send):
                outcome = await self._send(step)
            elif isinstance(step, Sleep):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Renew):
                outcome = await self._renew(step.refused)
            elif isinstance(step, Provide):
                outcome = step.provider()
                if inspect.isawaitable(outcome):
                    outcome = await outcome

    async def _renew(self, refused: Optional[str]) -> Optional[str]:
        # Made here: before Python 3.10 a lock belongs to the loop that runs when it is made.
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            return await self._take(self._tokens.renewal(refused))

    async def _token(self, refused: Optional[str]) -> Optional[str]:
        if refused is not None or self._tokens.due:
            return await self._renew(refused)
        return self._tokens.token

    async def _open(self, path: str, last_id: Optional[str], options: Optional[CallOptions]) -> httpx.Response:
        return await self._take(open_stream(self._settings, self._tokens, path, last_id, options))

    async def _send(self, wire: Send) -> Union[Came, Failed, Opened]:
        try:
            answer = await self._http.send(_request_of(self._http, wire), stream=wire.stream)
            if wire.stream and answer.status_code == 200:
                return Opened(answer)
            await answer.aread()
        except httpx.TimeoutException as error:
            return Failed(error, True)
        except httpx.TransportError as error:
            return Failed(error, False)
        return Came(answer.status_code, answer.text, answer.headers)


class ClaudeCliClient(Resources, _Base):
    """
    A blocking client; threads may share it. ``token`` is a JWT, an API key, or a function that gives one whenever another is
    needed; ``username`` and ``password`` instead sign in, and the token is refreshed before it expires. Times are in seconds.
    """

    def __init__(
        self,
        base_url: str,
        token: Union[str, TokenProvider, None] = None,
        *,
        username: Optional[str] = None,
        password: Optional[str] = None,
        session_id: Optional[str] = None,
        timeout: float = 30.0,
        retries: Optional[RetryRules] = None,
    ) -> None:
        _Base.__init__(self, base_url, token, username, password, session_id, timeout, retries)
        Resources.__init__(self, self._perform)
        self.commands: StreamingCommands = StreamingCommands(self._perform, self)
        self._http = httpx.Client()
        self._lock = threading.Lock()
        self.websocket = _Websocket(self)

    def close(self) -> None:
        """Close the connections to the platform. Live connections are closed by themselves."""
        self._http.close()

    def __enter__(self) -> ClaudeCliClient:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _perform(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> Any:
        return self._take(self._steps(operation, path, fields, options))

    def _take(self, steps: Steps) -> Any:
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            if isinstance(step, Send):
                outcome = self._send(step)
            elif isinstance(step, Sleep):
                time.sleep(step.seconds)
            elif isinstance(step, Renew):
                outcome = self._renew(step.refused)
            elif isinstance(step, Provide):
                outcome = step.provider()

    def _renew(self, refused: Optional[str]) -> Optional[str]:
        with self._lock:
            return self._take(self._tokens.renewal(refused))

    async def _token(self, refused: Optional[str]) -> Optional[str]:
        if refused is not None or self._tokens.due:
            return await asyncio.get_running_loop().run_in_executor(None, self._renew, refused)
        return self._tokens.token

    def _open(self, path: str, last_id: Optional[str], options: Optional[CallOptions]) -> httpx.Response:
        return self._take(open_stream(self._settings, self._tokens, path, last_id, options))

    def _send(self, wire: Send) -> Union[Came, Failed, Opened]:
        try:
            answer = self._http.send(_request_of(self._http, wire), stream=wire.stream)
            if wire.stream and answer.status_code == 200:
                return Opened(answer)
            answer.read()
        except httpx.TimeoutException as error:
            return Failed(error, True)
        except httpx.TransportError as error:
            return Failed(error, False)
        return Came(answer.status_code, answer.text, answer.headers)


#: What is waited for without any sign of life on a stream, in seconds: the platform gives one every 15.
_SILENT = 45.0


def _request_of(http: Union[httpx.Client, httpx.AsyncClient], wire: Send) -> httpx.Request:
    read = max(wire.timeout, _SILENT) if wire.stream else wire.timeout
    timeout = httpx.Timeout(wire.timeout, read=read)
    return http.build_request(wire.method, wire.url, headers=dict(wire.headers), content=wire.body, timeout=timeout)


class _Websocket:
    def __init__(self, client: ClaudeCliClient) -> None:
        self._client = client

    def connect(self, session_id: str) -> LiveConnection:
        """Live updates of a session, for ``with``: connects when it is entered."""
        client = self._client
        return LiveConnection(LiveSettings(client._live_url(session_id), client._token, client._tokens))


class _AsyncWebsocket:
    def __init__(self, client: AsyncClaudeCliClient) -> None:
        self._client = client

    def connect(self, session_id: str) -> AsyncLiveConnection:
        """Live updates of a session, for ``async with``: connects when it is entered."""
        client = self._client
        return AsyncLiveConnection(LiveSettings(client._live_url(session_id), client._token, client._tokens))
