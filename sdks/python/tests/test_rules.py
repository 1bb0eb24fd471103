"""Rules that need no platform."""
import base64
import hashlib
import hmac
import json
import time

import pytest
from claude_cli_sdk import ApiError, ClaudeCliClient, RetryRules, verify_webhook_signature
from claude_cli_sdk._exchange import Came, Failed, Renew, Send, Settings, Sleep, call
from claude_cli_sdk._output import OutputMerge
from claude_cli_sdk._record import Record
from claude_cli_sdk._retry import is_retryable, pause, retry_after_of
from claude_cli_sdk._tokens import Provide, Tokens, expiry_of
from claude_cli_sdk.gen.models import TaskDetail
from claude_cli_sdk.gen.resources import operations

BASE = "http://platform/api"


def token_that_expires(at):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": at}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


def answered(status, data=None, error=None, **headers):
    return Came(status, json.dumps({"data": data, "error": error, "meta": {"request_id": "r1"}}), headers)


def refused(status, code, **headers):
    return answered(status, error={"code": code, "message": "no", "details": {"field": "title"}}, **headers)


def play(operation, outcomes, *, fields=None, path=(), tokens=None, retries=RetryRules()):
    """Take the steps of a call with these outcomes of what is sent. Returns what was sent, the pauses, and the result."""
    sent, pauses, left = [], [], list(outcomes)
    tokens = tokens or Tokens("token", None)
    steps = call(Settings(BASE, 5.0, retries, None), tokens, operations[operation], list(path), fields or {}, None)

    def take(steps):
        outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            if isinstance(step, Send):
                sent.append(step)
                outcome = left.pop(0)
            elif isinstance(step, Sleep):
                pauses.append(step.seconds)
            elif isinstance(step, Renew):
                outcome = take(tokens.renewal(step.refused))
            elif isinstance(step, Provide):
                outcome = step.provider()

    try:
        return sent, pauses, take(steps)
    except ApiError as error:
        return sent, pauses, error


def test_a_pause_grows_up_to_a_bound_and_is_never_shorter_than_what_was_asked_for():
    assert [pause(0.2, 5, failed, chance=lambda: 1.0) for failed in (1, 2, 3, 50)] == [0.2, 0.4, 0.8, 5]
    assert pause(0.2, 5, 1, 7.0, chance=lambda: 0.0) == 7.0


def test_retry_after_is_a_number_or_a_date():
    assert retry_after_of("3") == 3
    assert retry_after_of("Wed, 21 Oct 2015 07:28:00 GMT", now=1445412475) == 5
    assert [retry_after_of(header) for header in (None, "", "soon")] == [None, None, None]


@pytest.mark.parametrize(
    "status, repeatable, expected",
    [(0, True, True), (503, True, True), (500, True, False), (404, True, False), (503, False, False), (429, False, True)],
)
def test_only_what_can_help_and_do_no_harm_is_repeated(status, repeatable, expected):
    assert is_retryable(status, "X", repeatable) is expected


def test_a_post_is_repeated_with_the_same_key_until_it_is_answered():
    outcomes = [Failed(OSError("gone"), False), refused(503, "SERVICE_UNAVAILABLE", **{"retry-after": "2"})]
    sent, pauses, task = play("createTask", [*outcomes, answered(201, {"id": "t"})], fields={"title": "x"})
    assert task.id == "t" and len(sent) == 3
    assert len({wire.headers["Idempotency-Key"] for wire in sent}) == 1
    assert pauses[1] >= 2


def test_a_put_is_not_repeated_after_a_fault():
    sent, _, error = play("updateTask", [refused(503, "SERVICE_UNAVAILABLE")], path=["t"], fields={"title": "x"})
    assert len(sent) == 1 and error.code == "SERVICE_UNAVAILABLE"


def test_a_pause_that_would_be_too_long_is_not_waited_out():
    sent, pauses, error = play("listTasks", [refused(429, "RATE_LIMIT_EXCEEDED", **{"retry-after": "90"})])
    assert len(sent) == 1 and pauses == [] and error.status == 429


def test_an_error_has_code_status_details_and_request_id():
    _, _, error = play("createTask", [refused(422, "VALIDATION_REQUIRED_FIELD")], fields={"project_id": "p"})
    assert (error.code, error.status, error.details, error.request_id) == (
        "VALIDATION_REQUIRED_FIELD",
        422,
        {"field": "title"},
        "r1",
    )
    assert error.is_invalid and not error.is_not_found


def test_something_else_than_the_platform_is_told_from_it():
    _, _, error = play("updateTask", [Came(200, "<html>")], path=["t"])
    assert (error.code, error.status) == ("INVALID_RESPONSE", 200)


def test_lists_go_into_the_query_separated_by_commas():
    sent, _, _ = play("listTasks", [answered(200, {"items": []})], fields={"status": ["pending", "running"], "page": 2})
    assert sent[0].url == f"{BASE}/tasks/?status=pending%2Crunning&page=2" and sent[0].body is None


def test_a_refused_token_is_replaced_once():
    given = iter([token_that_expires(time.time() + 3600), "second", "third"])
    tokens = Tokens(lambda: next(given), None)
    outcomes = [refused(401, "AUTH_TOKEN_INVALID"), refused(401, "AUTH_TOKEN_INVALID")]
    sent, _, error = play("listTasks", outcomes, tokens=tokens)
    assert sent[1].headers["Authorization"] == "Bearer second" and error.is_unauthenticated and len(sent) == 2


def test_a_token_is_replaced_before_it_expires():
    now = time.time()
    given = iter([token_that_expires(now - 1), token_that_expires(now + 3600)])
    tokens = Tokens(lambda: next(given), None)
    page = answered(200, {"items": []})
    play("listTasks", [page], tokens=tokens)
    assert tokens.due
    play("listTasks", [page], tokens=tokens)
    assert not tokens.due and now + 3500 < tokens.renew_at < now + 3600
    assert expiry_of("an-api-key") == float("inf")


def test_declared_objects_have_attributes_and_free_form_ones_stay_as_they_are():
    values = {"metadata": {"a": {"b": 1}}, "dependencies": [{"id": "d", "task": {"title": "x"}}], "tags": ["x"]}
    task = TaskDetail(values)
    assert task.metadata == {"a": {"b": 1}} and task.tags == ["x"]
    assert isinstance(task.dependencies[0], Record) and task.dependencies[0].task.title == "x"
    assert task.to_dict() == values and task == TaskDetail(values)
    with pytest.raises(AttributeError):
        task.nonsense


def test_signatures_of_webhooks_are_checked():
    body = '{"event":"task.completed","text":"ü"}'.encode()
    signature = "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert verify_webhook_signature(body, signature, "secret")
    assert verify_webhook_signature(body.decode(), signature, "secret")
    for wrong in (None, "", "sha256=", signature[:-1], signature[:-1] + "x", signature.replace("sha256=", "")):
        assert not verify_webhook_signature(body, wrong, "secret")
    assert not verify_webhook_signature(body + b" ", signature, "secret")
    assert not verify_webhook_signature(body, signature, "")


def test_a_token_and_a_password_together_are_refused():
    with pytest.raises(TypeError):
        ClaudeCliClient(BASE, token="t", username="u", password="p")


def test_stored_and_live_output_that_overlap_are_told_once_and_in_order():
    def piece(time, content="x", stream="stdout"):
        return Record({"timestamp": time, "content": content, "stream": stream})

    stored = [piece("T1"), piece("T9", "a note", "system"), piece("T2"), piece("T2")]
    live = [piece("T2"), piece("T2"), piece("T2"), piece("T3", "y")]
    merge = OutputMerge()
    told = [one for telling in (stored, live, [*stored, live[2], live[3]]) for one in filter(merge.telling(), telling)]
    assert told == [*stored, live[2], live[3]]
