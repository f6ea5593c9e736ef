"""The small data set of the bench tests."""

from tests.bench.conftest import beir_folder

__all__ = ["beir_folder"]
