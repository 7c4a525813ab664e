"""Metaflow inside Airflow's pages: what a step made, beside its log. An Airflow plugin.

Imports no Metaflow, and loads no pickle: what a flow made is shown as the data that it is.
"""

PREFIX = "/metaflow"
"""Below which path Airflow's API server serves them."""
