"""What a live connection has received and nobody has taken yet."""
from __future__ import annotations

import asyncio
import collections
from typing import Any, Deque, Dict, Optional

from ._record import Record

#: Messages that wait for whoever listens; the oldest give way, and a message ``gap`` says so.
_MOST_HELD = 10_000


class LiveMessage(Record):
    """A message: ``type``, ``data`` with its fields as attributes, ``timestamp``."""

    _fields = {"data": Record}


class Inbox:
    """Messages in the order in which they came, within a bound."""

    def __init__(self) -> None:
        self._held: Deque[Dict[str, Any]] = collections.deque()
        self._dropped = 0
        self._closed = False
        self._error: Optional[Exception] = None
        self._news: Optional[asyncio.Event] = None

    def hold(self, message: Dict[str, Any]) -> None:
        """Keep a message for whoever takes it."""
        if len(self._held) >= _MOST_HELD:
            self._held.popleft()
            self._dropped += 1
        self._held.append(message)
        self._tell()

    def close(self, error: Optional[Exception]) -> None:
        """No more come: takers get what is left, and then the error, or None."""
        self._closed, self._error = True, error
        self._tell()

    async def take(self, timeout: Optional[float]) -> Optional[LiveMessage]:
        """The next message; None when none has come for so many seconds, or when no more come."""
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                return LiveMessage({"type": "gap", "data": {"channel": None, "dropped": dropped}})
            if self._held:
                return LiveMessage(self._held.popleft())
            if self._closed:
                if self._error:
                    raise self._error
                return None
            # Made where it is waited for: in older versions of Python it belongs to the loop that runs then.
            self._news = self._news or asyncio.Event()
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), timeout)
            except asyncio.TimeoutError:
                return None

    def _tell(self) -> None:
        if self._news:
            self._news.set()
