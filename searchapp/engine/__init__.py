"""Where the work runs. Knows nothing of search: a task is mapped over numbered shards, results come in order."""

from searchapp.engine.local import Engine, LocalEngine

__all__ = ["Engine", "LocalEngine"]
