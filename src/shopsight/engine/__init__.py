"""The engine behind the Narwhals expressions: frames read, written, cached, cut into key ranges."""
