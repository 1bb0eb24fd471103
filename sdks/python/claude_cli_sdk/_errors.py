"""What can go wrong in a call."""
from __future__ import annotations

from typing import Any, Dict, Optional


class ApiError(Exception):
    """
    Everything that can go wrong in a call. ``code`` is the one of the API, such as TASK_NOT_FOUND, or one of this SDK:
    NETWORK_ERROR when there was no answer, TIMEOUT when it did not come in time, INVALID_RESPONSE when it was not one of
    the platform, CONNECTION_CLOSED when a live connection has ended.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 0,
        details: Optional[Dict[str, Any]] = None,
        request_id: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        #: HTTP status; 0 when there was no answer.
        self.status = status
        #: Facts: for a wrong field ``{"field", "issue"}``.
        self.details = details or {}
        #: By this the logs of the platform are searched.
        self.request_id = request_id

    def __str__(self) -> str:
        about = f" ({self.request_id})" if self.request_id else ""
        return f"{self.code}: {self.message}{about}"

    @property
    def is_not_found(self) -> bool:
        """What was asked for does not exist, or not for this user."""
        return self.status == 404

    @property
    def is_invalid(self) -> bool:
        """Fields of the request are wrong."""
        return self.code.startswith("VALIDATION_")

    @property
    def is_unauthenticated(self) -> bool:
        """The token is missing, wrong or expired."""
        return self.status == 401
