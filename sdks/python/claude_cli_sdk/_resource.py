"""What the classes of all resources share."""
from __future__ import annotations

from typing import Any, AsyncIterator, Dict, Iterator, List, Mapping, Optional, Protocol, Tuple

from ._operation import CallOptions, NotGiven, Operation

#: Pages are as large as the API allows when nothing else is asked for.
_LARGEST_PAGE = 100


class Caller(Protocol):
    """Makes blocking calls."""

    def __call__(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> Any: ...


class AsyncCaller(Protocol):
    """Makes calls of asyncio."""

    async def __call__(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> Any: ...


class _Reader:
    """Where a list is being read."""

    def __init__(self, operation: Operation, fields: Mapping[str, Any]) -> None:
        self._operation = operation
        self._by_page = operation.paging == "page"
        size = "page_size" if self._by_page else "limit"
        own = {} if not isinstance(fields.get(size), (NotGiven, type(None))) else {size: _LARGEST_PAGE}
        self._fields = {**fields, **own}
        self._position = 1 if self._by_page else 0

    def request(self) -> Dict[str, Any]:
        return {**self._fields, "page" if self._by_page else "offset": self._position}

    def take(self, answer: Any) -> Tuple[List[Any], bool]:
        """The entries of an answer, and whether there are more."""
        entries = getattr(answer, self._operation.entries or "items")
        self._position += 1 if self._by_page else len(entries)
        more = answer.has_next if self._by_page else self._position < answer.total
        return entries, bool(more and entries)


class Resource:
    """Endpoints of a resource, blocking."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller

    def _entries(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> Iterator[Any]:
        reader, more = _Reader(operation, fields), True
        while more:
            entries, more = reader.take(self._call(operation, path, reader.request(), options))
            yield from entries


class AsyncResource:
    """Endpoints of a resource, for asyncio."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._call = caller

    async def _entries(
        self, operation: Operation, path: List[str], fields: Mapping[str, Any], options: Optional[CallOptions]
    ) -> AsyncIterator[Any]:
        reader, more = _Reader(operation, fields), True
        while more:
            entries, more = reader.take(await self._call(operation, path, reader.request(), options))
            for entry in entries:
                yield entry
