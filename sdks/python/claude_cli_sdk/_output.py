"""The output of a command, as it is written: what is stored and what is heard live made one, as steps."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Generator, List, Optional, Set, Tuple

#: Pauses between looks at whether the command still runs, in seconds.
_FIRST_LOOK, _MOST_LOOK = 0.5, 5.0


@dataclass(frozen=True)
class Look:
    """A step: read the command with its stored output."""


@dataclass(frozen=True)
class Open:
    """A step: listen to the output of the command, and to its task when it has one."""

    task_id: Optional[str]


@dataclass(frozen=True)
class Listen:
    """A step: the next live message; None when none comes for so many seconds."""

    timeout: float


@dataclass(frozen=True)
class Tell:
    """A step: these pieces are next."""

    pieces: List[Any]


class OutputMerge:
    """
    Makes one output of two tellings of it, which overlap: each piece once, in order. Times of pieces never go back, so one
    from before the latest was told already. Of the same time, as many equal ones are told as the telling that has the most
    of them has. Notes of the runner can be made after what follows them: they tell nothing of the time of others.
    """

    def __init__(self) -> None:
        self._latest = ""
        self._told: Dict[Tuple[str, str], int] = {}
        self._notes: Set[Tuple[str, str]] = set()

    def telling(self) -> Callable[[Any], bool]:
        """One telling, from its beginning on or from anywhere: whether a piece of it is new."""
        time = ""
        counts: Dict[Tuple[str, str], int] = {}

        def is_new(piece: Any) -> bool:
            nonlocal time
            if piece.stream == "system":
                note = (piece.timestamp, piece.content)
                known = note in self._notes
                self._notes.add(note)
                return not known
            if piece.timestamp < self._latest:
                return False
            if piece.timestamp != time:
                time = piece.timestamp
                counts.clear()
            if piece.timestamp > self._latest:
                self._latest = piece.timestamp
                self._told.clear()
            key = (piece.stream, piece.content)
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= self._told.get(key, 0):
                return False
            self._told[key] = counts[key]
            return True

        return is_new


def follow(command_id: str) -> Generator[Any, Any, None]:
    """The steps of a stream."""
    merge = OutputMerge()
    command = yield Look()
    yield Tell(_fresh(merge, command))
    if command.status != "running":
        return
    yield Open(command.task_id)
    is_new = merge.telling()
    sequence: Optional[int] = None
    wait = _FIRST_LOOK
    look = True
    message: Any = None
    while True:
        piece = message.data if message is not None and message.type == "command_output" else None
        if piece is not None and piece.command_id != command_id:
            piece = None
        # Pieces before the first one, or before one after a jump, are stored by the time that one is heard.
        jumped = piece is not None and (sequence is None or piece.sequence > sequence + 1)
        if look or jumped:
            command = yield Look()
            yield Tell(_fresh(merge, command))
            if command.status != "running":
                return
        if piece is not None:
            sequence = piece.sequence
            if is_new(piece):
                yield Tell([piece])
        message = yield Listen(wait)
        look = message is None or message.type in ("reconnected", "gap")
        if message is None:
            wait = min(_MOST_LOOK, wait * 1.5)
        elif message.type == "task_update":
            look = message.data.status != "running"


def _fresh(merge: OutputMerge, command: Any) -> List[Any]:
    is_new = merge.telling()
    return [piece for piece in command.output if is_new(piece)]
