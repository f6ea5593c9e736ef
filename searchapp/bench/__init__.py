"""Data sets x dims x kinds x search parameters -> cells -> a report. Measures with the Searcher that serves."""

from searchapp.bench.cells import BenchOptions, run_bench
from searchapp.bench.report import Cell, Report, write_report
from searchapp.bench.workspace import indexed

__all__ = ["BenchOptions", "Cell", "Report", "indexed", "run_bench", "write_report"]
