"""The report: one HTML page that holds everything it shows, and the same figures for the terminal.

In: a run's document (:meth:`shopsight.record.RunRecord.as_document`) and the published insights.
Out: a page without scripts and without requests, and rich tables. Nothing here opens a connection.
"""

from shopsight.report.page import ShopLabel, render_report, write_report
from shopsight.report.report_table import ReportTable

__all__ = ["ReportTable", "ShopLabel", "render_report", "write_report"]
