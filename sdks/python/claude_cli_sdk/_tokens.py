"""The token that calls are made with."""
from __future__ import annotations

import base64
import json
import math
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Generator, Optional, Union

from ._errors import ApiError

#: Gives a token: at the start, shortly before the previous one expires, and after one was refused.
TokenProvider = Callable[[], Union[str, Awaitable[str]]]

#: How long before its expiry a token is replaced, in seconds; at most a fifth of what it had left when it came.
_LEEWAY = 60.0


@dataclass(frozen=True)
class Provide:
    """A step: ask the provider for a token."""

    provider: TokenProvider


class Tokens:
    """
    Knows the present token and how to get another one: from a provider, or by signing in and refreshing. Not safe by
    itself: whoever drives :meth:`renewal` lets one in at a time.
    """

    def __init__(
        self,
        token: Union[str, TokenProvider, None],
        sign_in: Optional[Callable[[Optional[str]], Generator[Any, Any, str]]],
    ) -> None:
        self.token = token if isinstance(token, str) else None
        self._provider = token if callable(token) else None
        self._sign_in = sign_in
        #: When the present token is to be replaced, as time.time() tells it.
        self.renew_at = math.inf

    @property
    def renewable(self) -> bool:
        """Whether there can be another token than the present one."""
        return self._provider is not None or self._sign_in is not None

    @property
    def due(self) -> bool:
        """Whether another token is to be got before the next call."""
        return self.renewable and (self.token is None or time.time() >= self.renew_at)

    def renewal(self, refused: Optional[str]) -> Generator[Any, Any, Optional[str]]:
        """Steps to another token than the refused one, which may be there by now."""
        if self.token is not None and self.token != refused and time.time() < self.renew_at:
            return self.token
        previous, self.token = self.token, None
        if self._provider is not None:
            token = yield Provide(self._provider)
        elif self._sign_in is not None:
            # One that was refused is not tried twice.
            usable = previous if previous != refused and expiry_of(previous) > time.time() else None
            token = yield from self._sign_in(usable)
        else:
            raise ApiError("There is no other token", code="AUTH_TOKEN_MISSING", status=401)
        expires_at = expiry_of(token)
        self.token = token
        self.renew_at = expires_at - max(0.0, min(_LEEWAY, (expires_at - time.time()) / 5))
        return token


def expiry_of(token: Optional[str]) -> float:
    """When a JWT expires, as time.time() tells it; never for other tokens."""
    try:
        payload = (token or "").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return math.inf
