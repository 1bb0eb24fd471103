"""Endpoints of commands, and the output of commands as it is written."""
from __future__ import annotations

import asyncio
import time
from typing import Any, AsyncIterator, Iterator, Optional
from urllib.parse import quote

import httpx

from ._errors import ApiError
from ._exchange import Sleep
from ._operation import CallOptions
from ._output import Event, EventParser, Next, Open, Tell, follow, next_step
from .gen.resources import AsyncCommands, Commands

_DOCUMENTATION = """
        What a command, or the execution of a task, has written and writes, until it has ended: objects with ``stream``,
        ``content`` and ``timestamp``.

        Begins with the stored output and goes on live, without hole or double; where the connection is lost, or this side read
        too slowly, it goes on where it was. What is missing is what the platform itself did not store of very long output.
        """


def _path_of(command_id: str) -> str:
    return f"/commands/{quote(command_id, safe='')}/stream"


class StreamingCommands(Commands):
    """Endpoints below ``client.commands``."""

    def __init__(self, caller: Any, client: Any) -> None:
        super().__init__(caller)
        self._client = client

    def stream(self, command_id: str, *, call: Optional[CallOptions] = None) -> Iterator[Any]:
        steps, outcome = follow(self._client._settings.retries), None
        response: Optional[httpx.Response] = None
        events: Iterator[Event] = iter(())
        try:
            while (step := next_step(steps, outcome)) is not None:
                outcome = None
                if isinstance(step, Next):
                    try:
                        outcome = next(events, None)
                    except httpx.TransportError:
                        pass
                elif isinstance(step, Tell):
                    yield step.piece
                elif isinstance(step, Sleep):
                    time.sleep(step.seconds)
                elif isinstance(step, Open):
                    if response is not None:
                        response.close()
                    try:
                        response = self._client._open(_path_of(command_id), step.last_id, call)
                        events = _events_of(response)
                    except ApiError as error:
                        outcome = error
        finally:
            if response is not None:
                response.close()

    stream.__doc__ = _DOCUMENTATION


class AsyncStreamingCommands(AsyncCommands):
    """Endpoints below ``client.commands``."""

    def __init__(self, caller: Any, client: Any) -> None:
        super().__init__(caller)
        self._client = client

    async def stream(self, command_id: str, *, call: Optional[CallOptions] = None) -> AsyncIterator[Any]:
        steps, outcome = follow(self._client._settings.retries), None
        response: Optional[httpx.Response] = None
        events: Any = None
        try:
            while (step := next_step(steps, outcome)) is not None:
                outcome = None
                if isinstance(step, Next):
                    try:
                        outcome = await events.__anext__()
                    except (httpx.TransportError, StopAsyncIteration):
                        pass
                elif isinstance(step, Tell):
                    yield step.piece
                elif isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Open):
                    if response is not None:
                        await response.aclose()
                    try:
                        response = await self._client._open(_path_of(command_id), step.last_id, call)
                        events = _async_events_of(response)
                    except ApiError as error:
                        outcome = error
        finally:
            if response is not None:
                await response.aclose()

    stream.__doc__ = _DOCUMENTATION


def _events_of(response: httpx.Response) -> Iterator[Event]:
    parser = EventParser()
    for text in response.iter_text():
        yield from parser.feed(text)


async def _async_events_of(response: httpx.Response) -> AsyncIterator[Event]:
    parser = EventParser()
    async for text in response.aiter_text():
        for event in parser.feed(text):
            yield event
