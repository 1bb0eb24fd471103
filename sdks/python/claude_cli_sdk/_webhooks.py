"""Signatures of webhooks."""
from __future__ import annotations

import hashlib
import hmac
from typing import Optional, Union


def verify_webhook_signature(body: Union[bytes, str], signature: Optional[str], secret: str) -> bool:
    """
    Whether a webhook was sent by the platform and is unchanged: compares the header X-Signature-256 with the HMAC-SHA256 of
    the body, exactly as that arrived. Takes the same time for every wrong signature.
    """
    if not signature or not secret:
        return False
    raw = body.encode() if isinstance(body, str) else body
    expected = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())
