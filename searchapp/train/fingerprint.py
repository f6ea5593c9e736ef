"""One number for all rows of a training."""

import hashlib
from collections.abc import Iterable

from searchapp.train.examples import Example


def fingerprint_rows(examples: Iterable[Example]) -> str:
    """Return sha256 in hex over the texts of all rows in order: of each row how many, then each behind its length."""
    digest = hashlib.sha256()
    for example in examples:
        texts = (example.anchor, example.positive, *example.negatives)
        digest.update(len(texts).to_bytes(8, "little"))
        for text in texts:
            raw = text.encode("utf-8")
            digest.update(len(raw).to_bytes(8, "little"))
            digest.update(raw)
    return digest.hexdigest()
