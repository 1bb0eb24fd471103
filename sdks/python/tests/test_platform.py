"""Against a running platform: CLAUDE_CLI_URL (without /api), CLAUDE_CLI_USERNAME and CLAUDE_CLI_PASSWORD say which."""
import asyncio
import os

import pytest
from claude_cli_sdk import ApiError, AsyncClaudeCliClient, CallOptions, ClaudeCliClient, RetryRules

URL = os.environ.get("CLAUDE_CLI_URL")
pytestmark = pytest.mark.skipif(not URL, reason="CLAUDE_CLI_URL names no platform")
ACCOUNT = {
    "username": os.environ.get("CLAUDE_CLI_USERNAME", "admin"),
    "password": os.environ.get("CLAUDE_CLI_PASSWORD", ""),
}


@pytest.fixture(scope="module")
def client():
    # A door that is killed may take seconds to come back on a busy machine.
    with ClaudeCliClient(base_url=f"{URL}/api", retries=RetryRules(attempts=20), **ACCOUNT) as client:
        yield client


@pytest.fixture(scope="module")
def project(client):
    return client.projects.create(name="Python SDK")


def test_a_task_is_created_read_changed_and_deleted(client, project):
    metadata = {"some_key": {"innerKey": 1}}
    task = client.tasks.create(title="One", project_id=project.id, priority=1, metadata=metadata)
    assert (task.title, task.priority, task.metadata, task.status) == ("One", 1, metadata, "pending")
    changed = client.tasks.update(task.id, progress_percentage=40, status="running")
    assert (changed.status, changed.progress_percentage) == ("running", 40)
    assert client.tasks.get(task.id).history[0].action
    assert client.tasks.history(task.id).history[0].user_name
    assert client.tasks.bulk(operation="add_tags", task_ids=[task.id], data={"tags": ["x"]}).affected_count == 1
    assert client.tasks.delete(task.id).deleted_at


def test_a_field_is_taken_away_by_none_and_left_alone_when_it_is_not_given(client, project):
    task = client.tasks.create(title="Two", project_id=project.id, tags=["a"])
    assert client.tasks.update(task.id, title="Three").tags == ["a"]
    assert client.tasks.update(task.id, tags=None).tags == []


def test_a_refusal_has_code_status_details_and_request_id(client, project):
    with pytest.raises(ApiError) as caught:
        client.tasks.create(title="", project_id=project.id, call=CallOptions(request_id="python-1"))
    error = caught.value
    assert error.is_invalid and error.status == 422 and error.details["field"] == "title" and error.request_id == "python-1"
    with pytest.raises(ApiError) as caught:
        client.tasks.get(project.id)
    assert caught.value.code == "TASK_NOT_FOUND" and caught.value.is_not_found


def test_all_pages_of_a_list_are_walked_through(client, project):
    for title in "abcde":
        client.tasks.create(title=title, project_id=project.id, tags=["python-paged"])
    pages = client.tasks.iterate(tags=["python-paged"], sort="title", order="asc", page_size=2)
    assert [task.title for task in pages] == list("abcde")


def test_updates_of_a_task_come_in_order(client, project):
    task = client.tasks.create(title="Live", project_id=project.id, command="echo hello; sleep 0.2")
    session = client.sessions.create(project_id=project.id)
    statuses = []
    with client.websocket.connect(session.session_id) as ws:
        ws.subscribe("task_updates", project_id=project.id)
        assert ws.ping() > 0
        client.tasks.execute(task.id, priority="high")
        for message in ws.listen(timeout=20):
            if message.type == "task_update" and message.data.task_id == task.id:
                statuses.append(message.data.status)
            if message.type == "task_completed":
                assert message.data.exit_code == 0
                break
        measured = ws.get_metrics("performance", "queue_status")
        assert 0 <= measured.cpu_usage <= 100 and set(measured.queue_sizes) == {"high", "normal", "low"}
        assert "workers" in measured.queue_status
        with pytest.raises(ApiError) as caught:
            ws.subscribe("nonsense")
        assert caught.value.code == "VALIDATION_ERROR"
    assert sorted(set(statuses), key=statuses.index) == ["running", "completed"]


def test_a_session_that_does_not_exist_is_refused_for_good(client):
    with pytest.raises(ApiError) as caught:
        with client.websocket.connect("018f0000-0000-7000-8000-000000000000"):
            pass
    assert caught.value.details["code"] == 4403


def test_the_output_of_a_command_is_streamed_each_line_once(client):
    lines = [f"line {n}\n" for n in range(1, 21)]
    command = client.commands.execute(command="for i in $(seq 1 20); do echo line $i; sleep 0.05; done")
    assert "".join(piece.content for piece in client.commands.stream(command.command_id)) == "".join(lines)


def test_the_output_of_a_task_is_streamed_with_asyncio_too(project):
    async def work():
        async with AsyncClaudeCliClient(base_url=f"{URL}/api", **ACCOUNT) as client:
            task = await client.tasks.create(title="Stream", project_id=project.id, command="echo a; sleep 1; echo b")
            execution = await client.tasks.execute(task.id, priority="high")
            while True:
                try:
                    return [piece.content async for piece in client.commands.stream(execution.execution_id)]
                except ApiError as error:
                    # No runner has begun it yet.
                    assert error.is_not_found
                    await asyncio.sleep(0.1)

    assert asyncio.run(asyncio.wait_for(work(), 30)) == ["a\n", "b\n"]


def test_everything_works_with_asyncio_too(project):
    async def work():
        async with AsyncClaudeCliClient(base_url=f"{URL}/api", **ACCOUNT) as client:
            made = await asyncio.gather(
                *(client.tasks.create(title=f"{n}", project_id=project.id, tags=["async"]) for n in range(3))
            )
            titles = [task.title async for task in client.tasks.iterate(tags=["async"], page_size=2)]
            assert sorted(titles) == ["0", "1", "2"]
            session = await client.sessions.create()
            async with client.websocket.connect(session.session_id) as ws:
                await ws.subscribe("task_updates", task_id=made[0].id)
                await client.tasks.update(made[0].id, progress_percentage=10)
                async for message in ws.listen():
                    if message.type == "task_update":
                        return message.data.progress_percentage

    assert asyncio.run(asyncio.wait_for(work(), 30)) == 10


def test_calls_and_live_connections_outlast_a_restart(client):
    """CLAUDE_CLI_RESTART is a file: when it is made, whoever runs the tests kills the door and realtime."""
    signal = os.environ.get("CLAUDE_CLI_RESTART")
    if not signal:
        pytest.skip("CLAUDE_CLI_RESTART is not set")
    # Of its own: what happened in another one before may still be on its way.
    project = client.projects.create(name="Restart")
    session = client.sessions.create()
    with client.websocket.connect(session.session_id) as ws:
        ws.subscribe("task_updates", project_id=project.id)
        running = client.commands.execute(command="for i in $(seq 1 40); do echo line $i; sleep 0.2; done")
        output = client.commands.stream(running.command_id)
        told = [next(output).content]
        with open(signal, "w", encoding="utf-8") as file:
            file.write("now")
        # Meanwhile nothing is heard; all of it is told afterwards.
        task = client.tasks.create(title="Meanwhile", project_id=project.id, tags=["python-once"])
        heard = []
        for message in ws.listen(timeout=60):
            assert message.type != "reload"
            if message.type in ("reconnected", "task_update"):
                heard.append(message.type)
            if message.type == "task_update":
                assert message.data.task_id == task.id
            if len(heard) == 2:
                break
        told += [piece.content for piece in output]
        assert "".join(told) == "".join(f"line {n}\n" for n in range(1, 41))
    assert client.tasks.list(tags=["python-once"]).total == 1
