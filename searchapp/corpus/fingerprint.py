"""One number for all that a corpus says."""

import hashlib

from searchapp.records import Document, Value


class Fingerprint:
    """A sha256 over ids, texts and stored fields in order, every part with its length before it.

    Parts are, of each document: id, text, number of fields, then name and `type:value` of each field by name.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, document: Document) -> None:
        """Take in the next document."""
        for part in (document.doc_id, document.text, str(len(document.fields))):
            self._feed(part)
        for name in sorted(document.fields):
            self._feed(name)
            self._feed(_tagged(document.fields[name]))

    def hexdigest(self) -> str:
        """Return the number of what has been taken in so far, in hex."""
        return self._digest.hexdigest()

    def _feed(self, text: str) -> None:
        raw = text.encode("utf-8")
        self._digest.update(len(raw).to_bytes(8, "little"))
        self._digest.update(raw)


def _tagged(value: Value) -> str:
    return f"{type(value).__name__}:{value if isinstance(value, str) else repr(value)}"
