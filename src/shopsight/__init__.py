"""shopsight: a shop's SQL database to MongoDB, every row and every cent accounted for.

Data flows one way: extract → clean → metrics, insights → proof → publish. Each arrow is a folder of
Parquet in the run's own directory; :mod:`shopsight.pipeline.run` puts the stages in a row.
"""

__version__ = "0.2.0"
