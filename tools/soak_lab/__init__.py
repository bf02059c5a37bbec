"""A service that runs for hours over a shop that changes: what ``tools/soak.py`` consists of.

:mod:`shop` changes the shop and says in plain SQL what a run must publish of it; :mod:`ground` holds the
servers, the small disk and the service; :mod:`samples` measures what might grow.
"""
