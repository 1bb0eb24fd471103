"""Endpoints, and what one call of them may have."""
from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Type

from ._record import Record


class NotGiven:
    """Marks a field that is not sent; None is sent as null."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __bool__(self) -> bool:
        return False


NOT_GIVEN = NotGiven()


@dataclass(frozen=True)
class Operation:
    """An endpoint."""

    verb: str
    #: Below the base URL, with {names} of path fields.
    path: str
    #: Whether an Idempotency-Key makes repeating it safe.
    keyed: bool
    query: List[str]
    answer: Type[Record]
    #: How its list is read on, by "page" or by "offset", and which field of the answer holds the entries.
    paging: Optional[str]
    entries: Optional[str]


@dataclass(frozen=True)
class CallOptions:
    """What one call may have besides its fields."""

    #: Seconds that one attempt may take; the client's when absent.
    timeout: Optional[float] = None
    #: Instead of a generated key, so that a repetition by another process is recognized, too.
    idempotency_key: Optional[str] = None
    #: Session in which this happens; the client's when absent.
    session_id: Optional[str] = None
    #: Id that the answer and the logs of the platform are to name.
    request_id: Optional[str] = None
