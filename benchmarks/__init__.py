"""How fast shopsight is, and how much memory it takes, against what people would use instead.

``make bench`` (``python -m benchmarks``) makes a shop of a chosen scale, lets shopsight and its peers do the
same work in turn, each in a process of its own, compares their results with ours, and writes the figures to
``benchmarks/results.json`` and ``docs/performance.md``.
"""
