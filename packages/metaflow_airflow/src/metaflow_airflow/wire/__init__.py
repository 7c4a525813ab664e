"""What travels between Airflow, a worker or pod, and a launcher. Pure.

Standard library only, as in runtime: the launcher loads both by their path.
"""
