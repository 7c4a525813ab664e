import json

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from metaflow_airflow.attempt.inputs import DATASETS_KEY, XCOM_KEY
from metaflow_airflow.pages.ancestry import Place, ancestry

from .conftest import NOW

OLD, NEW, OUT = "s3://b/features/1", "s3://b/features/2", "s3://b/predictions/2"
MODEL = "metaflow://Train/airflow-1"
ALL = ("Features", "Train", "Predict")


@pytest.fixture
def two_teams(deployed, session):
    """Features that a task published, a model of one month, predictions of the next."""
    asset = AssetModel(name="features", uri="s3://b/features", group="")
    session.add(asset)
    session.flush()
    for index, uri in enumerate((OLD, NEW)):
        session.add(
            AssetEvent(
                asset_id=asset.id, extra={"uri": uri}, timestamp=NOW, source_dag_id="Features",
                source_run_id="f1", source_task_id="publish", source_map_index=index,
            )
        )  # fmt: skip
    train, predict = (
        {"dag_id": dag, "run_id": run} for dag, run in (("Train", "t1"), ("Predict", "p1"))
    )
    deployed.leave("fit", DATASETS_KEY, {"read": [OLD]}, **train)
    # As a trigger leaves it.
    deployed.leave("end", DATASETS_KEY, json.dumps({"wrote": [MODEL]}), **train)
    deployed.leave("predict", DATASETS_KEY, {"read": [NEW, MODEL], "wrote": [OUT]}, **predict)
    # Names that begin alike are others.
    deployed.leave(
        "x", DATASETS_KEY, {"read": [MODEL + "0", OUT + "0"]}, dag_id="Train", run_id="t2"
    )
    return deployed


def test_predictions_lead_back_to_the_model_and_all_features(two_teams, session):
    found = {each.uri: each for each in ancestry(session, "Predict", "p1", ALL)}

    assert list(found) == [OLD, NEW, MODEL, OUT]
    assert found[OLD].writers == [Place("Features", "f1", "publish", 0, is_step=False)]
    assert found[OLD].readers == [Place("Train", "t1", "fit")]
    assert found[NEW].writers == [Place("Features", "f1", "publish", 1, is_step=False)]
    assert found[MODEL].writers == [Place("Train", "t1", "end")] == [found[MODEL].run]
    assert found[MODEL].readers == found[OUT].writers == [Place("Predict", "p1", "predict")]
    assert found[OUT].readers == []


def test_a_training_leads_on_to_the_predictions_of_its_model(two_teams, session):
    found = {each.uri: each for each in ancestry(session, "Train", "t1", ALL)}

    assert list(found) == [OLD, MODEL, OUT]
    assert found[MODEL].readers == [Place("Predict", "p1", "predict")]
    assert found[OUT].writers == [Place("Predict", "p1", "predict")]


def test_what_a_reader_may_not_see_is_left_out(two_teams, session):
    found = {each.uri: each for each in ancestry(session, "Predict", "p1", ["Predict"])}

    assert list(found) == [NEW, MODEL, OUT]
    assert found[NEW].writers == found[MODEL].writers == []
    assert found[MODEL].run is None


def test_a_run_that_named_nothing_is_found_by_its_uri(deployed, session):
    deployed.leave(
        "start", XCOM_KEY, {"pathspec": "airflow-7/start/t"}, dag_id="Silent", run_id="s"
    )
    deployed.leave("use", DATASETS_KEY, {"read": ["metaflow://Silent/airflow-7", "metaflow://X/1"]})

    silent, other = ancestry(
        session, deployed.plan.dag_id, "manual__1", ["Silent", deployed.plan.dag_id]
    )

    assert silent.run == Place("Silent", "s", "start")
    assert other.run is None


def test_runs_that_feed_one_another_have_an_end(deployed, session):
    for number in range(2):
        said = {"read": [f"s3://b/{number}"], "wrote": [f"s3://b/{1 - number}"]}
        deployed.leave("step", DATASETS_KEY, said, run_id=str(number))

    found = ancestry(session, deployed.plan.dag_id, "0", [deployed.plan.dag_id])

    assert [each.uri for each in found] == ["s3://b/0", "s3://b/1"]
