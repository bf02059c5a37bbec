"""Spark for tests: quick to start, and on this machine alone."""

import os

# Short-lived: the optimising compiler costs more than it saves.
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
