"""The output of a command, as it is written: what is stored and then what happens, as steps."""
from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Dict, Generator, Iterator, List, Optional, Set, Union

from ._errors import ApiError
from ._exchange import Sleep
from ._record import Record
from ._retry import RetryRules, pause

#: Streams in a row that ended soon, without any output, after which it is given up; and how soon, in seconds.
_ATTEMPTS, _SOON = 20, 30.0
#: Longest event, in characters.
_MOST_HELD = 16 * 1024 * 1024


@dataclass(frozen=True)
class Open:
    """A step: open the stream, after the event with this id. Its outcome is None, or the ApiError that it was refused with."""

    last_id: Optional[str]


@dataclass(frozen=True)
class Next:
    """A step: the next event; None when the stream has ended or broken off."""


@dataclass(frozen=True)
class Tell:
    """A step: this piece is next."""

    piece: Record


@dataclass(frozen=True)
class Event:
    """One server-sent event, with the latest id that was told."""

    event: str
    data: str
    last_id: Optional[str]


class EventParser:
    """Events out of the text of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self) -> None:
        self._held = ""
        self._last_id: Optional[str] = None

    def feed(self, text: str) -> Iterator[Event]:
        """The events that are whole with this text."""
        self._held += text
        if len(self._held) > _MOST_HELD:
            raise ApiError("An event is too long", code="INVALID_RESPONSE")
        *blocks, self._held = self._held.split("\n\n")
        for block in blocks:
            # The platform writes each field on one line.
            lines = (line.partition(":") for line in block.split("\n") if not line.startswith(":"))
            fields: Dict[str, str] = {name: value[1:] if value.startswith(" ") else value for name, _, value in lines}
            self._last_id = fields.get("id", self._last_id)
            if "data" in fields:
                yield Event(fields.get("event", "message"), fields["data"], self._last_id)


def follow(rules: RetryRules) -> Generator[Any, Any, None]:
    """The steps of a stream: read on from where it is, until the command has ended."""
    place: Optional[str] = None
    failures = 0
    asked_again: Set[str] = set()
    while True:
        opened_at = time.monotonic()
        failures += 1
        refused: Optional[ApiError] = yield Open(place)
        # What is refused is refused; who was let in before waits until the platform is there again.
        if refused is not None and (place is None or 0 < refused.status < 500):
            raise refused
        while refused is None:
            event: Optional[Event] = yield Next()
            if event is None:
                break
            told = json.loads(event.data)["data"]
            if event.event == "gap":
                key = f"{told.get('epoch')}:{told.get('from')}"
                if told.get("from") is not None and key not in asked_again:
                    # What lacks because this side was slow is stored, and is read from there.
                    asked_again.add(key)
                    place = f"{told['epoch']}:{told['from'] - 1}"
                    break
            place = event.last_id or place
            if event.event == "command_output":
                failures = 0
                yield Tell(Record({name: told[name] for name in ("stream", "content", "timestamp")}))
            if event.event == "command_finished":
                return
        if time.monotonic() - opened_at > _SOON:
            failures = 0
        if failures >= _ATTEMPTS:
            raise refused or ApiError("The stream ends again and again", code="CONNECTION_CLOSED")
        if failures > 0:
            yield Sleep(pause(rules.first, rules.most, failures))


def next_step(steps: Generator[Any, Any, None], outcome: Any) -> Any:
    """What is to be done next, given what came of the step before; None when the command has ended."""
    try:
        return steps.send(outcome)
    except StopIteration:
        return None
