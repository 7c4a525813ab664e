"""What a deployment says of itself, written to its DAG file and read back from it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError
from metaflow_airflow.airflow_api.deployments import NotOursError, list_deployments, read_record
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.record import Parameter, Project, Record
from metaflow_airflow.plan.step import Deployment, Python
from metaflow_airflow.render import render

OLD = Path(__file__).parent.parent / "files" / "format_1"
HELP = "C:\\users\\ann, \"\"\" ''' {braces} %s 🚕 and a backslash \\"
DEPLOYMENT = Deployment(
    script="branches.py",
    code="s3://bucket/code",
    code_sha="3f9c",
    datastore="s3",
    datastore_root="s3://bucket",
    options=("--metadata=service", "--production"),
    owner="ann",
    production_token="mfprj-1",
    environment={"METAFLOW_CARD_S3ROOT": "s3://bucket/cards"},
    python=Python("uv run python", ("uv sync", 'echo "a\\b"')),
)
NUMBERS = {"minimum": -(2**63), "maximum": 2**64 - 1}
PARAMETERS = (
    Parameter("n", "integer", 3, description=HELP),
    Parameter("when"),
    Parameter("who", required=True),
    Parameter("data", "json", {"a": [1, None, '"""']}),
    Parameter("table", "file", '{"url": "s3://x"}', encoding="latin-1"),
)


@pytest.fixture
def text(flow):
    return render(
        assemble(
            read_graph(flow("branches")),
            DEPLOYMENT,
            dag_id="shop.prod.Branches",
            parameters=PARAMETERS,
            project=Project("shop", "prod", production=True),
            metaflow="2.19.39",
        )
    )


def test_a_record_is_read_back_as_it_was_written(text):
    record = read_record(text)

    assert (record.dag_id, record.flow, record.format) == ("shop.prod.Branches", "Branches", 2)
    assert record.deployment == DEPLOYMENT
    assert record.parameters == PARAMETERS
    assert record.project == Project("shop", "prod", production=True)
    assert (record.metaflow, record.start_in_pod) == ("2.19.39", False)
    assert record.steps[0] == "start"


def test_airflow_reads_the_same_record(text, tmp_path):
    path = tmp_path / "dag.py"
    path.write_text(text)
    dag = runpy.run_path(str(path))["dag"]

    assert {name: dag.params.get_param(name).schema for name in dag.params} == {
        "n": {"type": "integer", **NUMBERS},
        "when": {"type": ["null", "string"]},
        "who": {"type": "string"},
        "data": {
            "type": ["object", "array", "string", "number", "boolean", "null"],
            "items": {"$ref": "#"},
            "additionalProperties": {"$ref": "#"},
            **NUMBERS,
        },
        "table": {"type": "string", "pattern": r'^"?\{'},
    }
    assert dag.params.get_param("n").description == HELP
    assert dag.params["data"] == {"a": [1, None, '"""']}
    deployment = dag.get_task("start").definition.deployment
    assert deployment.json_parameters == deployment.null_parameters == ("data",)
    assert deployment.python == DEPLOYMENT.python


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 2**64), ("data", 1e22), ("data", [1, {"a": [-(2**63) - 1]}])],
)
def test_airflow_itself_refuses_a_number_that_no_worker_would_be_sent(text, tmp_path, name, value):
    path = tmp_path / "dag.py"
    path.write_text(text)
    params = runpy.run_path(str(path))["dag"].params

    with pytest.raises(ParamValidationError, match=r"(maximum|minimum) of"):
        params[name] = value
    params["n"], params["data"] = 2**64 - 1, [1.5, {"a": [None, "x", -(2**63)]}]


@pytest.mark.parametrize("name", ["hooked", "nested", "switches", "maybe_fan"])
def test_a_file_of_the_version_before_is_read(name):
    record = read_record((OLD / f"{name}.py").read_text())

    assert record.flow.lower() == name.replace("_", "")
    assert record.format == 1
    assert record.deployment.code.startswith("s3://")
    assert "end" in record.steps


def test_an_old_file_says_parameters_project_and_a_python_that_is_no_literal():
    record = read_record(
        "flow = MetaflowFlow('Old', script='o.py', code='c', owner='ann', python=Python('uv'))\n"
        "with DAG('shop.test.x.Old', params={'n': Param(3, type='integer', description='d'),\n"
        "    'j': Param(type=['object', 'string'])}) as dag:\n"
        "    flow.step('start', pod=POD)\n"
    )

    assert record.parameters == (
        Parameter("n", "integer", 3, description="d"),
        Parameter("j", "json", required=True),
    )
    assert record.project == Project("shop", "test.x")
    assert (record.start_in_pod, record.deployment.owner) == (True, "ann")


@pytest.mark.parametrize("text", ["from airflow.sdk import DAG\nDAG('x')\n", "def (", "\0"])
def test_a_file_of_somebody_else_is_refused(text):
    with pytest.raises(NotOursError):
        read_record(text)


@pytest.mark.parametrize("said", ["{", "[]", "{}", '{"dag_id": "x"}', '{"deployment": {}}'])
def test_a_record_that_cannot_be_read_says_so(said):
    with pytest.raises(BridgeError, match="Export the flow again") as caught:
        read_record(f'flow = MetaflowFlow.load(r"""{said}""")')
    assert not isinstance(caught.value, NotOursError)


def test_what_a_newer_version_adds_is_left_out(text):
    newer = text.replace('{\n  "dag_id"', '{\n  "news": [1],\n  "dag_id"')
    assert newer != text
    assert read_record(newer) == read_record(text)


def test_one_unreadable_deployment_is_left_out_with_a_warning(text, airflow):
    broken = 'flow = MetaflowFlow.load("{")'
    airflow.sources |= {"good": text, "broken": broken, "foreign": "DAG('x')"}

    with pytest.warns(UserWarning, match="DAG broken is left out") as warned:
        found = list(list_deployments(airflow.client))

    assert [record.dag_id for record in found] == ["shop.prod.Branches"]
    assert len(warned) == 1


def test_a_record_stays_small_and_stable():
    record = Record(dag_id="a", flow="A", format=2, deployment=Deployment(script="a.py"))
    assert record.to_json() == (
        '{\n  "dag_id": "a",\n  "flow": "A",\n  "format": 2,\n'
        '  "deployment": {\n    "script": "a.py"\n  }\n}'
    )
    assert Record.from_json(record.to_json()) == record
