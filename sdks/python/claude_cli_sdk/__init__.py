"""Client of the Claude CLI Platform."""
from ._client import AsyncClaudeCliClient, ClaudeCliClient
from ._errors import ApiError
from ._live import AsyncLiveConnection
from ._live_blocking import LiveConnection
from ._operation import NOT_GIVEN, CallOptions
from ._record import Record
from ._retry import RetryRules
from ._webhooks import verify_webhook_signature

__all__ = [
    "NOT_GIVEN",
    "ApiError",
    "AsyncClaudeCliClient",
    "AsyncLiveConnection",
    "CallOptions",
    "ClaudeCliClient",
    "LiveConnection",
    "Record",
    "RetryRules",
    "verify_webhook_signature",
]
