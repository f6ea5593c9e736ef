"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine must not fail a test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's cache out of the tests."""
    os.environ["SEARCHAPP_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets: SEARCHAPP_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SEARCHAPP_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set SEARCHAPP_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The sample catalogue that comes with the project."""
    return ROOT / "data" / "sample"
