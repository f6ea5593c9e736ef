"""Vectors -> folder: the index on disk, and searches over it. Knows neither encoders nor corpora nor measures."""

from searchapp.index.derive import derive
from searchapp.index.folder import Index, Setting, is_kind
from searchapp.index.kinds import KINDS, Kind, Plan, plan_kind
from searchapp.index.manifest import Derived, Manifest, read_manifest
from searchapp.index.opening import open_index
from searchapp.index.ranking import NO_ROW, Ranking

__all__ = [
    "KINDS",
    "NO_ROW",
    "Derived",
    "Index",
    "Kind",
    "Manifest",
    "Plan",
    "Ranking",
    "Setting",
    "derive",
    "is_kind",
    "open_index",
    "plan_kind",
    "read_manifest",
]
