"""A DAG that a data engineer publishes twice, with another text in a module of their own."""

from airflow.sdk import dag, task
from data_engineering.greeting import TEXT  # type: ignore[import-not-found]


@dag(schedule=None, tags=["first"])
def greeting():
    @task
    def greet():
        print(TEXT)

    greet()


greeting()
