"""Endpoints of commands, and the output of commands as it is written."""
from __future__ import annotations

from typing import Any, AsyncIterator, Iterator, Optional

from ._errors import ApiError
from ._operation import CallOptions
from ._output import Listen, Look, Open, Tell, follow
from .gen.resources import AsyncCommands, Commands

_DOCUMENTATION = """
        What a command, or the execution of a task, has written and writes, until it has ended: objects with ``stream``,
        ``content`` and ``timestamp``.

        Begins with the stored output and goes on live, without doubles. Where live output was missed (a connection was lost,
        this side read too slowly), it is read from what is stored; nothing is missing as long as the platform stores the output
        whole and the command does not write more than some 60 KB per 30 ms while the stream begins. Without ``session_id`` a
        session of its own is opened, and deleted afterwards.
        """


class StreamingCommands(Commands):
    """Endpoints below ``client.commands``."""

    def __init__(self, caller: Any, client: Any) -> None:
        super().__init__(caller)
        self._client = client

    def stream(
        self, command_id: str, *, session_id: Optional[str] = None, call: Optional[CallOptions] = None
    ) -> Iterator[Any]:
        own, live = None, None
        steps, outcome = follow(command_id), None
        try:
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Look):
                    outcome = self.status(command_id, call=call)
                elif isinstance(step, Tell):
                    yield from step.pieces
                elif isinstance(step, Listen) and live is not None:
                    outcome = next(live.listen(timeout=step.timeout), None)
                elif isinstance(step, Open):
                    if session_id is None:
                        session_id = own = self._client.sessions.create(call=call).session_id
                    live = self._client.websocket.connect(session_id).__enter__()
                    live.subscribe("command_output", command_id=command_id)
                    if step.task_id is not None:
                        live.subscribe("task_updates", task_id=step.task_id)
        finally:
            if live is not None:
                live.close()
            if own is not None:
                try:
                    self._client.sessions.delete(own)
                except ApiError:
                    pass  # It expires by itself.

    stream.__doc__ = _DOCUMENTATION


class AsyncStreamingCommands(AsyncCommands):
    """Endpoints below ``client.commands``."""

    def __init__(self, caller: Any, client: Any) -> None:
        super().__init__(caller)
        self._client = client

    async def stream(
        self, command_id: str, *, session_id: Optional[str] = None, call: Optional[CallOptions] = None
    ) -> AsyncIterator[Any]:
        own, live = None, None
        steps, outcome = follow(command_id), None
        try:
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(step, Look):
                    outcome = await self.status(command_id, call=call)
                elif isinstance(step, Tell):
                    for piece in step.pieces:
                        yield piece
                elif isinstance(step, Listen) and live is not None:
                    outcome = await live.next_message(step.timeout)
                elif isinstance(step, Open):
                    if session_id is None:
                        session_id = own = (await self._client.sessions.create(call=call)).session_id
                    live = await self._client.websocket.connect(session_id).__aenter__()
                    await live.subscribe("command_output", command_id=command_id)
                    if step.task_id is not None:
                        await live.subscribe("task_updates", task_id=step.task_id)
        finally:
            if live is not None:
                await live.close()
            if own is not None:
                try:
                    await self._client.sessions.delete(own)
                except ApiError:
                    pass  # It expires by itself.

    stream.__doc__ = _DOCUMENTATION
