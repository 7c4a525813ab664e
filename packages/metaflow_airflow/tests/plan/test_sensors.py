import pytest
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph import Decorator, Graph, Kind, Step
from metaflow_airflow.plan.sensors import read_sensors


def read(*names):
    steps = {"start": Step("start", Kind.END)}
    sensors = [
        Decorator("airflow_s3_key_sensor", {"bucket_key": "s3://b/k", "name": name})
        for name in names
    ]
    return read_sensors(Graph("Flow", "start", "start", steps, decorators=tuple(sensors)))


def test_a_sensor_without_a_name_gets_one():
    assert [sensor.name for sensor in read(None, "mine")] == ["s3_key_sensor_1", "mine"]


@pytest.mark.parametrize("names", [["start"], ["a", "a"], ["start.items"], ["exit.hooks"]])
def test_no_two_tasks_have_one_name(names):
    with pytest.raises(BridgeError, match="Another task of the DAG"):
        read(*names)


@pytest.mark.parametrize("name", ["two words", "a" * 251, "a/b"])
def test_a_name_that_is_no_task_id_is_refused(name):
    with pytest.raises(BridgeError, match="has a name that Airflow does not take"):
        read(name)
