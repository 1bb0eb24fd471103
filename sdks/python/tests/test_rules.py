"""Rules that need no platform."""
import base64
import hashlib
import hmac
import json
import time

import pytest
from claude_cli_sdk import ApiError, ClaudeCliClient, RetryRules, verify_webhook_signature
from claude_cli_sdk._exchange import Came, Failed, Renew, Send, Settings, Sleep, call
from claude_cli_sdk._output import EventParser, Next, Open, Tell, follow
from claude_cli_sdk._record import Record
from claude_cli_sdk._retry import is_retryable, pause, retry_after_of
from claude_cli_sdk._subscriptions import Subscriptions
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
    assert pause(0.2, 5, 1, 7.0, chance=lambda: 0.0) == 7.1


def test_calls_outlast_the_restart_of_a_gateway_and_end_within_their_time():
    rules = RetryRules()
    shortest, longest = (
        sum(pause(rules.first, rules.most, failed, chance=lambda: chance) for failed in range(1, rules.attempts))
        for chance in (0.0, 1.0)
    )
    assert shortest > 5 and longest < rules.total / 4


def test_a_gateway_that_is_away_for_six_attempts_is_waited_for():
    away = [Failed(OSError("refused"), False)] * 6
    sent, pauses, task = play("getTask", [*away, answered(200, {"id": "t"})], path=["t"])
    assert len(sent) == 7 and len(pauses) == 6 and task.id == "t"


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


def _event(kind, data, id=None):
    return f"{f'id: {id}' + chr(10) if id else ''}event: {kind}\ndata: {json.dumps({'data': data})}\n\n"


def _piece(seq):
    return _event("command_output", {"stream": "stdout", "content": str(seq), "timestamp": "T"}, f"r:{seq}")


_GAP = _event("gap", {"epoch": "r", "from": 2, "to": 3})
_FINISHED = _event("command_finished", {"status": "completed"})


def _read(*streams):
    """What is told of these streams, and after what each was opened. An error is what one is refused with."""
    steps, outcome = follow(RetryRules(first=0.0, most=0.0)), None
    left, events, told, opened = list(streams), iter(()), [], []
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration:
            return told, opened
        outcome = None
        if isinstance(step, Open):
            opened.append(step.last_id)
            stream = left.pop(0)
            if isinstance(stream, ApiError):
                outcome = stream
            else:
                parser = EventParser()
                # Cut anywhere on its way.
                events = (event for character in stream for event in parser.feed(character))
        elif isinstance(step, Next):
            outcome = next(events, None)
        elif isinstance(step, Tell):
            told.append(int(step.piece.content))


def test_output_comes_however_it_is_cut_on_its_way():
    whole = "retry: 5\n\n:\n\n" + _event("subscribed", {}, "r:0") + _piece(1) + _piece(2) + _FINISHED
    assert _read(whole) == ([1, 2], [None])


def test_a_stream_that_ends_is_gone_on_with_after_the_last_event():
    away = ApiError("away", code="SERVICE_UNAVAILABLE", status=503)
    told, opened = _read(_piece(1) + _piece(2), away, _piece(3), _event("subscribed", {}, "r:3") + _FINISHED)
    assert (told, opened) == ([1, 2, 3], [None, "r:2", "r:2", "r:3"])
    for refusal in (away, ApiError("no", code="RESOURCE_NOT_FOUND", status=404)):
        with pytest.raises(ApiError):
            _read(refusal)


def test_what_this_side_was_too_slow_for_is_read_again():
    assert _read(_piece(1) + _GAP + _piece(4), _piece(2) + _piece(3) + _piece(4) + _FINISHED) == (
        [1, 2, 3, 4],
        [None, "r:1"],
    )
    assert _read(_piece(1) + _GAP, _GAP + _piece(4) + _FINISHED)[0] == [1, 4]


def test_a_stream_that_only_ever_ends_is_given_up():
    with pytest.raises(ApiError) as caught:
        _read(*[""] * 30)
    assert caught.value.code == "CONNECTION_CLOSED"


_PROJECT = {"channel": "task_updates", "project_id": "p"}
_TASK = {"channel": "task_updates", "task_id": "t"}


def _message(seq, epoch="e", **data):
    return {"type": "task_update", "epoch": epoch, "seq": seq, "data": data}


def _granted(*wanted):
    subscriptions = Subscriptions()
    for each in wanted:
        subscriptions.add(each)
        subscriptions.granted(each, {**each, "epoch": "e", "seq": 10}, False)
    return subscriptions


def test_what_two_subscriptions_hear_is_told_once_and_nothing_is_skipped_when_the_connection_is_lost_again():
    subscriptions = _granted(_PROJECT, _TASK)
    assert subscriptions.hear(_message(11))
    assert subscriptions.again()[0] == (_PROJECT, {**_PROJECT, "since": [{"epoch": "e", "seq": 11}], "caught_up": True})
    assert [subscriptions.hear(_message(seq)) for seq in (50, 12, 12)] == [True, True, False]
    subscriptions.caught_up(_PROJECT)
    assert [request["since"][0]["seq"] for _, request in subscriptions.again()] == [11, 11]
    assert [subscriptions.hear(_message(seq)) for seq in (50, 13)] == [False, True]
    for each in (_PROJECT, _TASK):
        subscriptions.caught_up(each)
    assert subscriptions.again()[0][1]["since"] == [{"epoch": "e", "seq": 50}]


def test_what_is_not_to_be_had_any_more_is_to_be_loaded_anew():
    subscriptions = _granted(_PROJECT)
    subscriptions.again()
    assert subscriptions.granted(_PROJECT, {**_PROJECT, "epoch": "new", "seq": 3, "recovered": False}, True)
    subscriptions.caught_up(_PROJECT)
    subscriptions.hear(_message(4, "new"))
    assert subscriptions.again()[0][1]["since"] == [{"epoch": "new", "seq": 4}]
    for wanted, missed in (({"channel": "command_output", "project_id": "p"}, True), ({"channel": "queue_status"}, False)):
        subscriptions.add(wanted)
        assert subscriptions.granted(wanted, wanted, True) is missed


def test_notifications_and_runs_of_commands_go_on_after_all_their_places():
    subscriptions = Subscriptions()
    notifications, command = {"channel": "notifications"}, {"channel": "command_output", "command_id": "c"}
    for wanted, more in ((notifications, {"also": [{"epoch": "all", "seq": 7}]}), (command, {})):
        subscriptions.add(wanted)
        subscriptions.granted(wanted, {**wanted, "epoch": wanted["channel"], "seq": 1, **more}, False)
    for message in (_message(8, "all"), _message(1, "run-2", command_id="c"), _message(9, "run-x", command_id="x")):
        assert subscriptions.hear(message)
    places = [[(place["epoch"], place["seq"]) for place in request["since"]] for _, request in subscriptions.again()]
    assert places == [[("notifications", 1), ("all", 8)], [("command_output", 1), ("run-2", 1)]]
