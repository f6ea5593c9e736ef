"""The table of kinds: numbers from the corpus, refusals, and what auto picks."""

import pytest

from searchapp.errors import UsageError
from searchapp.index.kinds import AUTO_FLAT_NUMBERS, Plan, plan_kind


@pytest.mark.parametrize(
    ("kind", "rows", "dim", "expected"),
    [
        ("flat", 3, 384, Plan("flat", "flat", "Flat")),
        ("sq8", 1_000_000, 128, Plan("sq8", "sq8", "SQ8", train_rows=65_536)),
        ("pq4", 700, 384, Plan("rr384-pq192x4fs", "pq4", "RR384,PQ192x4fs", 700, rescore=200)),
        ("pq4", 1_000_000, 25, Plan("rr26-pq13x4fs", "pq4", "RR26,PQ13x4fs", 65_536, rescore=200)),
        ("ivf-flat", 400, 64, Plan("ivf8-flat", "ivf-flat", "IVF8,Flat", 400, 8, nprobe=2)),
        ("ivf-flat", 1_000_000, 64, Plan("ivf2048-flat", "ivf-flat", "IVF2048,Flat", 131_072, 2048, nprobe=512)),
        ("ivf-pq", 54_667, 384, Plan("ivf512-pq96", "ivf-pq", "IVF512,PQ96", 32_768, 512, nprobe=128, rescore=100)),
        ("ivf-pq", 10_000, 50, Plan("ivf256-pq10", "ivf-pq", "IVF256,PQ10", 10_000, 256, nprobe=64, rescore=100)),
        ("ivf-pq", 5_183, 384, Plan("ivf128-pq192x4", "ivf-pq", "IVF128,PQ192x4", 5_183, 128, nprobe=32, rescore=100)),
        ("ivf-pq", 9_983, 25, Plan("ivf128-pq5x4", "ivf-pq", "IVF128,PQ5x4", 9_983, 128, nprobe=32, rescore=100)),
        ("IVF64,PQ8x4fs", 5_000, 64, Plan("ivf64-pq8x4fs", "IVF64,PQ8x4fs", "IVF64,PQ8x4fs", 5_000, 64, nprobe=16)),
        ("HNSW32", 100, 64, Plan("hnsw32", "HNSW32", "HNSW32", 100)),
    ],
)
def test_numbers_follow_from_the_corpus(kind: str, rows: int, dim: int, expected: Plan) -> None:
    assert plan_kind(kind, rows=rows, dim=dim) == expected


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("ivf-pq", 623, r"623 documents are too few for kind ivf-pq, .* at least 624; type: --kind ivf-flat"),
        ("pq4", 623, r"623 documents are too few for kind pq4, .* at least 624; type: --kind flat"),
        ("ivf-pq", 100, r"100 documents are too few for kind ivf-pq, .*; type: --kind flat"),
        ("ivf-flat", 311, r"311 documents are too few for kind ivf-flat, .* at least 312; type: --kind flat"),
        ("IVF100,Flat", 3_899, r"too few for IVF100,Flat, which trains on at least 3,900; type: --kind flat"),
        ("OPQ16_64,PQ16", 9_983, r"at least 9,984"),
    ],
)
def test_a_corpus_too_small_is_told_what_fits(kind: str, rows: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_kind(kind, rows=rows, dim=64)


def test_auto_is_flat_until_a_query_would_read_too_much() -> None:
    rows = AUTO_FLAT_NUMBERS // 100
    assert plan_kind("auto", rows=rows, dim=100).kind == "flat"
    assert plan_kind("auto", rows=rows + 1, dim=100).asked == "pq4"
    assert plan_kind("auto", rows=54_667, dim=384).kind == "flat"
