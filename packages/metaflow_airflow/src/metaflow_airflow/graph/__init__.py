"""What the flow is: steps, edges, the scopes of its foreaches. Free of Metaflow and Airflow."""

from metaflow_airflow.graph.flow_graph import Decorator, Graph, Kind, Step

__all__ = ["Decorator", "Graph", "Kind", "Step"]
