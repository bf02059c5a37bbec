"""Cleaning: raw Parquet in, clean and rejected Parquet out, every row and every cent of it explained.

Rules repair, flag, merge or reject (:mod:`shopsight.clean.rules`). What enters are the six tables as the
source has them, in its own types or as text; what leaves are tables that hold the contract of
:mod:`shopsight.contract` (unique keys, references that hold, no nulls but a customer's missing e-mail
address), and beside them each row that was set aside or folded, and each value that was changed.

Everything here is written on Narwhals frames and knows no engine.
"""

from shopsight.clean.all_tables import clean_shop
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.rule import Cleaned

__all__ = ["Cleaned", "CleaningPolicy", "clean_shop"]
