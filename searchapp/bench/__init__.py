"""Data sets x dims x kinds x search parameters -> cells -> a report. Measures with the Searcher that serves."""
