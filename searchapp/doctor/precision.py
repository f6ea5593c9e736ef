"""What a model's weights are stored in, and what they run in here."""

from collections.abc import Iterator

from searchapp.doctor.finding import Figure, Finding, Level
from searchapp.encoders import EncoderCard
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.stored import StoredWeights, read_stored

# Wider integers are positions and other tables, no weights.
_TYPES = {
    "F8_E4M3": "float8",
    "F8_E5M2": "float8",
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I8": "int8",
    "U8": "uint8",
}
_HALF, _QUANTISED = ("float16", "bfloat16"), ("int8", "uint8", "float8")


def precision(source: ModelFolder, card: "EncoderCard") -> Iterator[Finding]:
    """Say what the weights are stored in and what they run in here."""
    yield judge_precision(read_stored(source.path), card)


def judge_precision(stored: StoredWeights, card: "EncoderCard") -> Finding:
    """Judge what weights are stored in against what they run in."""
    weights = {_TYPES[name]: count for name, count in stored.numbers.items() if name in _TYPES and count}
    total = sum(weights.values())
    shares = {name: count / total for name, count in weights.items()}
    shown = ", ".join(name if share == 1 else f"{name} {share:.0%}" for name, share in shares.items())
    runs = f"runs in {card.dtype} on {card.runtime}"
    figures: dict[str, Figure] = {
        "stored": {name: round(share, 6) for name, share in shares.items()},
        "runs": card.dtype,
    }

    def said(level: Level, means: str, advice: str = "", *, found: str = shown) -> Finding:
        return Finding("model", "precision", level, f"stored in {found}, {runs}", means, advice, figures)

    main = next(iter(shares), None)
    if main is None:
        return said(
            "note",
            "a pickle runs code when it is loaded, and doesn't say what its numbers are",
            "prefer a model with safetensors, or save this one anew with sentence-transformers",
            found=", ".join(path.name for path in stored.pickles) or "no weights that are known",
        )
    if card.dtype in _HALF:
        return said(
            "note",
            "cosines are off by about a thousandth, and near ties change places",
            "fine for search; type --dtype float32 where scores must agree with another machine's",
        )
    if main in _HALF:
        return said(
            "note",
            f"lifted here; transformers 5 alone keeps {main}, which is slow on a CPU and trains in it by accident",
            "nothing here; in your own scripts type model_kwargs={'dtype': torch.float32}",
        )
    if main in _QUANTISED:
        return said(
            "note",
            "quantised weights: some quality is gone, how much depends on your data",
            "judge it beside the full model: searchapp bench DATASET --models THIS,FULL",
        )
    return said("ok", "nothing is lost")
