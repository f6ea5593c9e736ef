"""Fingerprints: what makes the numbers of two judgings comparable."""

import hashlib
import json
from collections.abc import Iterable, Sequence


def fingerprint(items: Iterable[Sequence[object]]) -> str:
    """Return the hex sha256 of items, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(json.dumps(list(item), ensure_ascii=False) for item in items):
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
