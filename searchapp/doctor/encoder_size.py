"""How much of the disk the query encoder takes that an index carries."""

from searchapp.carried import plan_carried
from searchapp.encoders import Encoder
from searchapp.encoders.exported import STATIC
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.stored import read_stored

_WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "F8_E4M3": 1, "F8_E5M2": 1}
"""Bytes of a stored number. Wider integers are positions and other tables, which aren't carried."""


def estimate_encoder(source: ModelFolder, encoder: Encoder) -> int:
    """Return about how many bytes an index carries of a model: its weights and its tokenizer; 0 where it can't.

    A static model is copied as it is; others are written in what they run in for queries, float32 or int8.
    """
    export = plan_carried(encoder, wanted=True).export
    if export is None:
        return 0
    width = None if export.form is STATIC else 1 if encoder.card.dtype == "int8" else 4
    numbers = read_stored(source.path).numbers
    weights = sum(count * (width or _WIDTHS[name]) for name, count in numbers.items() if name in _WIDTHS)
    tokenizers = [path.stat().st_size for path in source.path.rglob("tokenizer.json")]
    return weights + max(tokenizers, default=0)
