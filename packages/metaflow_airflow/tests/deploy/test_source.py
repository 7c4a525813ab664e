import pytest
from metaflow_airflow.airflow_api.deployments import read_source
from metaflow_airflow.errors import BridgeError
from metaflow_airflow.graph.read_graph import read_graph
from metaflow_airflow.plan.assemble import assemble
from metaflow_airflow.plan.dag import Parameter
from metaflow_airflow.plan.step import Deployment
from metaflow_airflow.render import render


def test_a_deployment_is_read_back_from_its_own_file(flow):
    graph = read_graph(flow("branches"))
    text = render(
        assemble(
            graph,
            Deployment(
                script="branches.py",
                code="s3://bucket/code",
                code_sha="3f9c",
                datastore="s3",
                datastore_root="s3://bucket",
                options=("--metadata=service", "--production", "--branch=x"),
                owner="ann",
                production_token="mfprj-1",
            ),
            dag_id="shop.prod.Branches",
            parameters=(
                Parameter("n", ("integer",), 3, description="how many"),
                Parameter("when", ("null", "string"), None),
                Parameter("who", ("string",), required=True),
            ),
        )
    )

    deployed = read_source(text)

    assert (deployed.dag_id, deployed.flow) == ("shop.prod.Branches", "Branches")
    assert (deployed.owner, deployed.production_token) == ("ann", "mfprj-1")
    assert deployed.option("production") == ""
    assert deployed.option("branch") == "x"
    assert deployed.option("namespace") is None
    assert [(p.name, p.types, p.required) for p in deployed.parameters] == [
        ("n", ("integer",), False),
        ("when", ("null", "string"), False),
        ("who", ("string",), True),
    ]


@pytest.mark.parametrize("text", ["from airflow.sdk import DAG\nDAG('x')\n", "def ("])
def test_a_file_of_somebody_else_is_refused(text):
    with pytest.raises(BridgeError):
        read_source(text)
