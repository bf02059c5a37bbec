"""The pipeline by itself, every three hours: names, retries, timeouts, schedules; no logic of the shop.

- :mod:`~shopsight.orchestration.serve`: ``shopsight serve``, the process that an operator starts.
- :mod:`~shopsight.orchestration.prefect_flow`: the six stages as a Prefect flow.
- :mod:`~shopsight.orchestration.airflow_dag`: the same stages as an Airflow DAG.
- :mod:`~shopsight.orchestration.stage_process`: a run in a process of its own, which both of them drive.

Prefect and Airflow cannot share an environment; each is imported only by the modules that are about it.
"""

#: The stages' names, in their order: what tasks are called in every orchestrator. (The pipeline has them too;
#: importing it here would load all of its libraries into every scheduler. A test compares the two.)
STAGES = ("extract", "clean", "metrics", "insights", "prove", "publish")
