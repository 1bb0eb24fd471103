"""Answers as objects with attributes."""
from __future__ import annotations

from typing import Any, ClassVar, Dict, Mapping, Type, TypeVar

R = TypeVar("R", bound="Record")


class Record:
    """An answer: declared fields are attributes. Free-form objects in it, such as metadata, stay dictionaries."""

    #: Classes of the fields that hold further declared objects, or lists of them.
    _fields: ClassVar[Dict[str, Type["Record"]]] = {}

    def __init__(self, values: Mapping[str, Any]) -> None:
        known: Dict[str, Type[Record]] = {}
        for base in reversed(type(self).__mro__):
            known.update(vars(base).get("_fields", {}))
        self.__dict__["_values"] = {name: _built(value, known.get(name)) for name, value in values.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field {name}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an answer cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash(repr(self))

    def __dir__(self) -> Any:
        return [*super().__dir__(), *self.__dict__["_values"]]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__["_values"].items())
        return f"{type(self).__name__}({fields})"

    def to_dict(self) -> Dict[str, Any]:
        """The answer as it came."""
        return {name: _plain(value) for name, value in self.__dict__["_values"].items()}


def _built(value: Any, held: Type[Record] | None) -> Any:
    if held is None or value is None:
        return value
    if isinstance(value, list):
        return [_built(entry, held) for entry in value]
    return held(value) if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
