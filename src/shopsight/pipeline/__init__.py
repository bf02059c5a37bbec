"""The pipeline: the stages in a row, each kept in the run's workspace and noted in its record."""
