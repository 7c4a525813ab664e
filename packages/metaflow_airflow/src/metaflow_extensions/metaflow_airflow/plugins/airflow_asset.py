"""`@airflow_asset` as Metaflow finds it."""

from metaflow.decorators import FlowDecorator


class AirflowAssetDecorator(FlowDecorator):
    """A dataset or a model that the flow makes, as an Airflow asset; `run` knows nothing of it.

    Its last step publishes an event of it when it has succeeded, for DAGs and flows that wait.

    Args:
        uri: of the asset, such as "s3://trip-data/predictions".
        extra: name of an artifact that the last step has, a dictionary of plain values: what the
            event carries besides the run, such as the version that was made.
    """

    name = "airflow_asset"
    allow_multiple = True
    defaults = {"uri": None, "extra": None}  # noqa: RUF012 - declared so by Metaflow
