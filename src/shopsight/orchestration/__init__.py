"""Runs the pipeline on a schedule, every three hours: names, retries, timeouts, schedules; no shop logic.

- :mod:`~shopsight.orchestration.serve`: ``shopsight serve``, the process that an operator starts.
- :mod:`~shopsight.orchestration.prefect_flow`: the six stages as a Prefect flow.
- :mod:`~shopsight.orchestration.airflow_dag`: the same stages as an Airflow DAG.
- :mod:`~shopsight.orchestration.stage_process`: one stage in its own process, started by both of them.

Prefect and Airflow cannot share an environment; each is imported only by modules whose names begin with it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from shopsight.pipeline.workspace import new_run_id

#: The stages' names, in their order: what tasks are called in every orchestrator. (The pipeline has them too;
#: importing it here would load all of its libraries into every scheduler. A test compares the two.)
STAGES = ("extract", "clean", "metrics", "insights", "prove", "publish")


def run_id_for(moment: datetime, orchestrator_run_id: str) -> str:
    """The pipeline's id for a run of an orchestrator: the same in each of its tasks and tries.

    Args:
        moment: the time at which that run was due; ids sort by it.
        orchestrator_run_id: what the orchestrator calls it, unique there.

    >>> from datetime import UTC
    >>> run_id_for(datetime(2026, 11, 22, 18, tzinfo=UTC), "scheduled__2026-11-22")
    '20261122T180000Z-2bceb3'
    """
    return new_run_id(moment)[:-6] + hashlib.sha256(orchestrator_run_id.encode()).hexdigest()[:6]
