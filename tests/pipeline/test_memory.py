"""The peak of a stage is its own, not that of the process."""

import numpy as np

from shopsight.pipeline.memory import peak_bytes, reset_peak


def test_a_memory_peak_is_measured_and_reset() -> None:
    reset_peak()
    before = peak_bytes()
    block = np.ones(25_000_000)  # 200 MB
    during = peak_bytes()
    del block
    reset_peak()
    after = peak_bytes()
    assert before is not None
    assert during is not None
    assert after is not None
    assert during - before > 150_000_000
    assert during - after > 150_000_000
