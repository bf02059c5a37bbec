"""Runs that are killed, starved and cut off on purpose, over real servers, while a reader looks on.

:mod:`workers` starts runs quickly and tells where they are; :mod:`ground` holds the servers, two shops and
what an undisturbed run makes of each; :mod:`watcher` is the reader; :mod:`kinds` says what is done to a run.
``tools/faults.py`` puts them in a row. Nothing in shopsight itself knows of any of this.
"""
