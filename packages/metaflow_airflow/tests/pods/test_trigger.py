"""How the trigger of a step's pod ends its task."""

import asyncio
import json
from dataclasses import replace

import pytest
from metaflow_airflow.attempt.inputs import Reference, Upstream
from metaflow_airflow.operators import site
from metaflow_airflow.plan.step import PlannedStep, Pod, Trigger
from metaflow_airflow.pods.command import TASK_VARIABLE
from metaflow_airflow.pods.hub import Hubs
from metaflow_airflow.wire.payload import unpack
from metaflow_airflow.wire.task import StepResult

from .fake import refusal
from .on_fake import DONE, stamped
from .real_cluster.real import until
from .triggers import DEFINITION, begun, first_event, trigger


def test_a_step_that_is_done_ends_the_task_with_what_others_need_and_its_pod_goes(play):
    async def scenario(server):
        made = trigger()
        event, name = await begun(server, made)
        server.write(name, *stamped("a line"))
        server.container(name, {"terminated": DONE})
        found = await event
        assert type(found).__name__ == "TaskSuccessEvent"
        (outcome,) = found.xcoms.values()
        assert outcome["pathspec"].split("/")[1] == "start"
        assert name in server.pods, "whoever takes over still finds how it ended"
        await made.on_kill()
        assert server.pods == {}

    play(scenario)


def test_an_item_that_a_worker_made_keeps_its_name_in_a_pod(play):
    step = PlannedStep("fit", after=("start",), each="start", depth=1, pod=Pod(image="image:1"))
    definition = replace(DEFINITION, step=step, upstream=(Upstream("start", 0),), depth=1)

    async def pull(**asked):
        assert (asked["task_ids"], asked["map_indexes"]) == ("start", [-1])
        if asked["key"] == "return_value":
            return [[{"label": "item=Bronx"}, {"label": "item=Queens"}]]
        return [Reference("run/start/t", cardinality=2).to_xcom()]

    async def scenario(server):
        made = trigger(definition=definition, task_id="fit", map_index=1, axcom_pull=pull)
        event, name = await begun(server, made)
        server.container(name, {"terminated": DONE})
        [outcome] = (await event).xcoms.values()
        assert (outcome["label"], outcome["path"]) == ("item=Queens", (1,))

    play(scenario)


def test_a_step_that_publishes_ends_on_a_worker_and_knows_what_started_its_run(play):
    step = PlannedStep("start", pod=Pod(image="image:1"), publishes=("metaflow.Flow.end",))
    definition = replace(DEFINITION, step=step, triggers=(Trigger("rides"),))
    rides = {"name": "rides", "uri": "rides", "time": "2026-01-01T00:00:00+00:00"}

    async def pull(**asked):
        assert (asked["task_ids"], asked["map_indexes"]) == ("start.events", [-1])
        return [[{**rides, "payload": {"id": "x"}}]]

    async def scenario(server):
        event, name = await begun(server, trigger(definition=definition, axcom_pull=pull))
        [container] = server.pods[name]["spec"]["containers"]
        packed = {each["name"]: each.get("value") for each in container["env"]}[TASK_VARIABLE]
        environment = json.loads(unpack(packed))["env"]
        [told] = json.loads(environment["METAFLOW_AIRFLOW_TRIGGERS"])
        assert (told["name"], told["id"]) == ("rides", "x")
        assert "METAFLOW_AIRFLOW_PARTITION_KEY" not in environment
        server.container(name, {"terminated": DONE})
        found = await event
        assert type(found).__name__ == "TriggerEvent"
        assert found.payload["outcome"]["pathspec"].split("/")[1] == "start"

    play(scenario)


@pytest.mark.parametrize(("code", "retry"), [(1, True), (202, False)])
def test_a_step_that_failed_is_tried_again_or_not(play, supervisor, code, retry):
    message = StepResult(ok=False, exit_code=code, error="ValueError: bad").to_json()
    state = {"terminated": {"exitCode": code, "reason": "Error", "message": message}}

    async def scenario(server):
        event, name = await begun(server, trigger())
        server.container(name, state, phase="Failed")
        found = await event
        assert (type(found).__name__ == "TaskFailedEvent") is retry
        if not retry:
            assert "ValueError: bad" in found.payload["sentence"]
        assert supervisor.xcoms["metaflow_life"] == {"try": 1, "begin": 0, "failed": [1]}

    play(scenario)


def test_a_pod_that_was_lost_costs_the_step_no_retry(play, supervisor):
    async def scenario(server):
        event, name = await begun(server, trigger())
        server.change(name, phase="Failed", reason="NodeLost")
        assert type(await event).__name__ == "TaskFailedEvent"
        assert supervisor.xcoms["metaflow_life"] == {"try": 1, "begin": 0, "failed": []}

    play(scenario)


def test_a_pod_that_the_cluster_refuses_is_not_tried_again(play):
    async def scenario(server):
        why = 'violates PodSecurity "restricted:latest"'
        server.first("create", lambda: refusal(403, "Forbidden", why))
        found = await first_event(trigger())
        assert "violates PodSecurity" in found.payload["sentence"]
        assert "security_context" in found.payload["sentence"]

    play(scenario)


def test_a_setting_that_is_none_is_an_error_of_the_try(play, monkeypatch):
    async def scenario(server):
        monkeypatch.setenv("METAFLOW_AIRFLOW_MAX_PODS", "many")
        found = await first_event(trigger())
        assert type(found).__name__ == "TaskFailedEvent"
        assert server.seen == []

    play(scenario)


def test_the_installation_keeps_its_name_whatever_becomes_of_its_keys(
    play, supervisor, monkeypatch
):
    async def scenario(server):
        event, name = await begun(server, trigger())
        before = server.pods[name]["metadata"]["labels"]["metaflow-airflow/site"]
        event.cancel()
        server.remove(name)
        assert supervisor.variables == {"metaflow_airflow_site": before}
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "another")
        site.this_site.cache_clear()
        assert await asyncio.to_thread(site.this_site) == before
        supervisor.variables["metaflow_airflow_site"] = "prod"
        site.this_site.cache_clear()
        assert await asyncio.to_thread(site.this_site) == "prod"

    play(scenario)


def test_a_step_that_the_newest_export_lacks_fails_and_its_pod_goes(play):
    async def scenario(server):
        event, _ = await begun(server, trigger())
        event.cancel()
        removed = trigger()
        del removed.task_instance.task  # as a triggerer builds it that found none in the DAG
        removed.task_instance.get_template_context = None
        found = await first_event(removed)
        assert type(found).__name__ == "TaskFailedEvent"
        assert server.pods == {}

    play(scenario)


def test_two_hundred_triggers_are_cancelled_while_pods_end_and_the_next_runs(play, monkeypatch):
    monkeypatch.setenv("METAFLOW_AIRFLOW_MAX_PODS", "1")

    async def scenario(server):
        event, name = await begun(server, trigger())
        waiting = [
            asyncio.create_task(first_event(trigger(n, task_id=f"t{n}"))) for n in range(2, 202)
        ]
        slots = Hubs.here()._slots
        assert slots
        queues = slots._queues
        await until(lambda: sum(len(each.waiting) for each in queues.values()) == 200, "them")
        for n, each in enumerate(waiting):
            if n == 100:
                server.container(name, {"terminated": DONE}, phase="Succeeded")
                await asyncio.sleep(0)
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert type(await event).__name__ == "TaskSuccessEvent"
        for left in list(server.pods):
            server.remove(left)
        event, name = await begun(server, trigger(300, task_id="next"))
        server.container(name, {"terminated": DONE})
        assert type(await event).__name__ == "TaskSuccessEvent"

    play(scenario)
