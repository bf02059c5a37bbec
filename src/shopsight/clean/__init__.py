"""Cleaning: raw Parquet in, clean and rejected Parquet out, every row and every cent of it explained.

Input: the six tables as the source has them, in its own types or as text. Output: tables that hold the
contract of :mod:`shopsight.contract` (unique keys, references that hold, no nulls except a customer's missing
e-mail address), and beside them every rejected or merged row and every changed value.

Everything here is written on Narwhals frames and knows no engine.
"""

from shopsight.clean.all_tables import RULES, clean_shop
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.rule import Cleaned

__all__ = ["RULES", "Cleaned", "CleaningPolicy", "clean_shop"]
