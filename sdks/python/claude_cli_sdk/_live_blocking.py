"""Live updates for those who block: the connection of asyncio, in a thread of its own."""
from __future__ import annotations

import asyncio
import threading
from typing import Any, Coroutine, Dict, Iterator, Optional

from ._live import AsyncLiveConnection, LiveMessage, LiveSettings
from ._record import Record


class LiveConnection:
    """
    Live updates of a session. Connects again with growing pauses when the connection is lost, with the same subscriptions.
    What happened while it was lost is told then, each message once; where the platform does not have it any more, a message
    ``reload`` says what to load anew.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self._live = AsyncLiveConnection(settings)
        self._loop = asyncio.new_event_loop()
        self._thread: Optional[threading.Thread] = None

    def __enter__(self) -> LiveConnection:
        self._thread = threading.Thread(target=self._loop.run_forever, name="claude-cli-live", daemon=True)
        self._thread.start()
        try:
            self._wait(self._live.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self._thread is None:
            return
        try:
            self._wait(self._live.close())
        finally:
            self._stop()

    def subscribe(self, channel: str, **scope: Any) -> None:
        """
        Listen to a channel, now and after every reconnection; ``scope`` is what it is about: one of project_id, task_id,
        command_id, queue_name or interval, as it fits the channel. Nothing that happens after this returns is missed. Raises
        ApiError when it is refused.
        """
        self._wait(self._live.subscribe(channel, **scope))

    def unsubscribe(self, channel: str, **scope: Any) -> None:
        """Listen no more."""
        self._wait(self._live.unsubscribe(channel, **scope))

    def execute_task(
        self, task_id: str, *, priority: Optional[str] = None, options: Optional[Dict[str, Any]] = None
    ) -> Record:
        """Put a task into a queue, and hear of it."""
        return self._wait(self._live.execute_task(task_id, priority=priority, options=options))

    def get_metrics(self, *metrics: str) -> Record:
        """
        Measure now: ``performance``, and what is asked for besides it, of ``queue_status`` and ``system_health``, comes along.
        """
        return self._wait(self._live.get_metrics(*metrics))

    def ping(self) -> float:
        """Seconds to the platform and back."""
        return self._wait(self._live.ping())

    def listen(self, timeout: Optional[float] = None) -> Iterator[LiveMessage]:
        """
        Messages as they come, until the connection is closed; also until none has come for so many seconds. Raises ApiError when
        the connection has ended otherwise.
        """
        while True:
            message = self._wait(self._live.next_message(timeout))
            if message is None:
                return
            yield message

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if self._thread is None:
            coroutine.close()
            raise RuntimeError("Use it in a with statement")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _stop(self) -> None:
        thread, self._thread = self._thread, None
        self._loop.call_soon_threadsafe(self._loop.stop)
        if thread is not None:
            thread.join()
        self._loop.close()
