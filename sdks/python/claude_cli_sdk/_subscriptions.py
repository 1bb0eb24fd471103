"""The subscriptions of a live connection, with how far each has been heard, so that after a loss they go on just there."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

#: What is asked for: channel, and what it is about.
Wanted = Dict[str, Any]

#: Numbers beyond, of one epoch, that are remembered; the platform keeps about half as many.
_MOST_AHEAD = 20_000
#: Channels that tell how something is: who comes back is told at once, and has missed nothing.
_STATES = ("queue_status", "performance_data")
_TARGETS = ("project_id", "task_id", "command_id", "queue_name")


@dataclass
class _Kept:
    wanted: Wanted
    #: The places after which it is heard, by epoch.
    places: Dict[str, int] = field(default_factory=dict)
    #: It is being told what it missed, so numbers may come that are below others that came.
    behind: bool = False


@dataclass
class _Heard:
    #: Everything up to this number was heard.
    up_to: int
    #: What was heard beyond, while a subscription is behind.
    ahead: Set[int] = field(default_factory=set)


class Subscriptions:
    """Several subscriptions may follow the same epoch; the platform sends each message once."""

    def __init__(self) -> None:
        self._kept: Dict[str, _Kept] = {}
        self._heard: Dict[str, _Heard] = {}

    def add(self, wanted: Wanted) -> None:
        """Remember that something is wanted, now and after every loss."""
        self._kept.setdefault(_key_of(wanted), _Kept(wanted)).wanted = wanted

    def remove(self, wanted: Wanted) -> None:
        """It is wanted no more."""
        self._kept.pop(_key_of(wanted), None)
        self._forget()

    def again(self) -> List[Tuple[Wanted, Wanted]]:
        """What to ask for after a loss: everything, each after what was heard of it."""
        asked: List[Tuple[Wanted, Wanted]] = []
        for kept in self._kept.values():
            kept.behind = bool(kept.places)
            since = [
                {"epoch": epoch, "seq": max(seq, self._heard[epoch].up_to if epoch in self._heard else 0)}
                for epoch, seq in kept.places.items()
            ]
            # The newest: an execution that was tried again and again has had many runs.
            more = {"since": since[-4:], "caught_up": True} if since else {}
            asked.append((kept.wanted, {**kept.wanted, **more}))
        return asked

    def granted(self, wanted: Wanted, data: Mapping[str, Any], is_again: bool) -> bool:
        """The platform has granted a subscription. Tells whether something was missed that is not told any more."""
        kept = self._kept.get(_key_of(wanted))
        if kept is None:
            return False
        missed = is_again and data.get("recovered") is not True and wanted["channel"] not in _STATES
        if missed:
            kept.places.clear()
        for place in [data, *data.get("also", [])]:
            if "epoch" in place:
                self._follow(kept, place["epoch"], place["seq"])
        self._forget()
        return missed

    def caught_up(self, wanted: Mapping[str, Any]) -> None:
        """A subscription is not behind any more."""
        kept = self._kept.get(_key_of(wanted))
        if kept is None:
            return
        kept.behind = False
        for epoch in kept.places:
            heard = self._heard.get(epoch)
            if heard is not None and not self._is_behind(epoch):
                heard.up_to = max([heard.up_to, *heard.ahead])
                heard.ahead.clear()

    def hear(self, message: Mapping[str, Any]) -> bool:
        """A message has come. Tells whether it is new."""
        epoch, seq = message.get("epoch"), message.get("seq")
        if not isinstance(epoch, str) or not isinstance(seq, int):
            return True
        heard = self._heard.get(epoch) or self._of_new_run(epoch, message["data"].get("command_id"))
        if heard is None:
            return True
        if not self._is_behind(epoch):
            heard.up_to = max(heard.up_to, seq)
            return True
        if seq <= heard.up_to or seq in heard.ahead:
            return False
        if len(heard.ahead) < _MOST_AHEAD:
            heard.ahead.add(seq)
        return True

    def _of_new_run(self, epoch: str, command_id: Optional[str]) -> Optional[_Heard]:
        """Another run of a command that is followed is heard from its beginning, without a word before."""
        for kept in self._kept.values():
            if command_id is not None and kept.wanted.get("command_id") == command_id:
                self._follow(kept, epoch, 0)
        return self._heard.get(epoch)

    def _follow(self, kept: _Kept, epoch: str, seq: int) -> None:
        kept.places.setdefault(epoch, seq)
        self._heard.setdefault(epoch, _Heard(seq))

    def _is_behind(self, epoch: str) -> bool:
        return any(kept.behind and epoch in kept.places for kept in self._kept.values())

    def _forget(self) -> None:
        followed = {epoch for kept in self._kept.values() for epoch in kept.places}
        self._heard = {epoch: heard for epoch, heard in self._heard.items() if epoch in followed}


def _key_of(wanted: Mapping[str, Any]) -> str:
    """Equal for what is wanted and for what the platform says of it."""
    return json.dumps([wanted["channel"], *(wanted.get(name) for name in _TARGETS)])
