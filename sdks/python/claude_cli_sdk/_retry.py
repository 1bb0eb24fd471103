"""When, and after which pause, a call is repeated."""
from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Callable, Optional


@dataclass(frozen=True)
class RetryRules:
    """
    How often, and for how long, a call is repeated. Times are in seconds. By default the pauses take 5.6 to 11.2 seconds
    together, longer than a gateway takes to restart.
    """

    #: Attempts in all; 1 never repeats.
    attempts: int = 7
    #: From the first attempt on, within which everything has to happen, pauses included.
    total: float = 60.0
    #: Longest first pause; it doubles with each attempt.
    first: float = 0.2
    #: Longest pause. What Retry-After asks for may be longer.
    most: float = 5.0


def is_retryable(status: int, code: str, repeatable: bool) -> bool:
    """Whether a repetition could help and do no harm. ``repeatable``: changes nothing, or carries an Idempotency-Key."""
    # Refused before anything was done.
    if status == 429:
        return True
    # With the code: an earlier attempt of ours, whose answer was lost, is still being done.
    return repeatable and (code == "IDEMPOTENCY_KEY_IN_USE" or status in (0, 502, 503, 504))


def pause(
    first: float, most: float, failed: int, retry_after: float = 0.0, chance: Callable[[], float] = random.random
) -> float:
    """
    Seconds to wait after so many failed attempts (from 1): at random between half of a bound and all of it, which doubles,
    so that clients that failed together do not come back together; on top of what the server asks for.
    """
    return retry_after + (0.5 + chance() / 2) * min(most, first * 2 ** min(failed - 1, 32))


def retry_after_of(header: Optional[str], now: Optional[float] = None) -> Optional[float]:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if header is None or not header.strip():
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - (time.time() if now is None else now)
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds)
