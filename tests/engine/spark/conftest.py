"""Spark for tests: quick to start, and on this machine alone."""

import os
from pathlib import Path

os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
os.environ["SPARK_CONF_DIR"] = str(Path(__file__).parent / "conf")
# Short-lived: the optimising compiler costs more than it saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
