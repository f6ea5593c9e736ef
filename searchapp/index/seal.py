"""JSON that carries the checksum of its own bytes, and is believed only as far as that goes.

The first line holds the sha256 of the file as it would be with 64 zeros in that place. So the file stays one that a
person reads, is replaced in one step with its checksum, and no byte of it, not a space, changes unnoticed.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

MOST_BYTES = 1 << 26
"""A manifest of ten million documents has a hundredth of it."""
_BEGINS = b'{\n  "checksum": "'
_DIGITS = slice(len(_BEGINS), len(_BEGINS) + 64)
_BLANK = b"0" * 64


def seal(body: Mapping[str, Any]) -> bytes:
    """Return the file: the checksum first, then what `body` holds."""
    text = json.dumps({"checksum": _BLANK.decode(), **body}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    raw = text.encode()
    return raw[: _DIGITS.start] + _digest(raw) + raw[_DIGITS.stop :]


def check_seal(raw: bytes) -> None:
    """Raise ValueError unless the file is byte for byte what was sealed."""
    if not raw.startswith(_BEGINS):
        raise ValueError("it does not begin with its checksum")
    said, found = raw[_DIGITS].decode("latin-1"), _digest(raw).decode()
    if said != found:
        raise ValueError(
            f"its checksum is {found[:12]}..., it says {said[:12]}...; it was changed after it was written"
        )


def read_json(raw: bytes) -> Any:
    """Parse JSON as this project writes it; raise ValueError or RecursionError for NaN, infinity or a name twice."""
    if len(raw) > MOST_BYTES:
        raise ValueError(f"it has {len(raw):,} bytes, {MOST_BYTES:,} at most were expected")
    return json.loads(
        raw.decode("utf-8"), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_without_twins
    )


def _digest(raw: bytes) -> bytes:
    digest = hashlib.sha256(raw[: _DIGITS.start])
    digest.update(_BLANK)
    digest.update(raw[_DIGITS.stop :])
    return digest.hexdigest().encode()


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond all numbers")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it names {next(name for name in names if names.count(name) > 1)!r} twice")
    return body
