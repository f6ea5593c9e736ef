"""Small models to train, built once a session."""

from tests.encoders.conftest import built

__all__ = ["built"]
