"""The loss split against a slow oracle: decoded vectors, ranked exactly in NumPy."""

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from searchapp.bench.loss import split_loss
from searchapp.bench.plan import CellPlan, reference
from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Dataset
from searchapp.index.vectors import unit
from searchapp.metrics import evaluate
from tests.bench.benching import PLAIN, bench
from tests.fakes import DIM, HashEncoder

CUT = 24
PQ = "IVF4,PQ6x2"


def _ndcg(dataset: Dataset, ids: list[str], scores: np.ndarray) -> float:
    run = {
        query.query_id: [ids[row] for row in sorted(range(len(ids)), key=lambda row: (-row_scores[row], ids[row]))]
        for query, row_scores in zip(dataset.queries, scores, strict=True)
    }
    return evaluate(run, dataset.qrels, ["nDCG@10"]).measures["nDCG@10"]


@pytest.mark.parametrize("kind", [PQ, "SQ4", "HNSW8_SQ4"])
def test_the_parts_are_what_exact_searches_say(dataset: Dataset, tmp_path: Path, kind: str) -> None:
    encoder = HashEncoder()
    options = replace(PLAIN, dims=(CUT,), kinds=(kind,), nprobe=(1,) if "IVF" in kind else ())
    report = bench(dataset, tmp_path / "cache", encoder, options=options)
    (cell,) = report.cells
    index = build_index(
        dataset.corpus, tmp_path / "mine", encoder=encoder, options=BuildOptions(dims=(CUT,), kinds=(kind,))
    )
    vectors = index.vectors.take(np.arange(len(index)))
    queries = encoder.encode_queries([query.text for query in dataset.queries])
    ids = index.documents.ids(np.arange(len(index)))
    exact = {dim: unit(queries, dim).astype(float) @ unit(vectors, dim).astype(float).T for dim in (DIM, CUT)}
    raw = faiss.read_index(str(tmp_path / "mine" / index.manifest.derived[0].files[0]))
    if "IVF" in kind:
        raw.make_direct_map()
    decoded = raw.reconstruct_n(0, len(index))
    codes = _ndcg(dataset, ids, np.round(unit(queries, CUT) @ decoded.T, 5))
    full, cut = _ndcg(dataset, ids, exact[DIM].astype(np.float32)), _ndcg(dataset, ids, exact[CUT].astype(np.float32))
    assert cell.loss is not None
    assert cell.loss.reference == pytest.approx(full, abs=1e-9)
    assert cell.loss.truncation == pytest.approx(full - cut, abs=1e-9)
    assert cell.loss.quantisation == pytest.approx(cut - codes, abs=2e-3)
    assert cell.loss.total == pytest.approx(full - cell.measures["nDCG@10"], abs=1e-12)
    assert cell.loss.rescoring == 0
    assert (cell.loss.search > 0.01) == ("IVF" in kind)


@pytest.mark.parametrize("kind", ["PCA4,Flat", "PCA4,IVF4,Flat", "PCA4,SQ8"])
def test_what_a_transform_loses_is_not_the_search_s_loss(dataset: Dataset, tmp_path: Path, kind: str) -> None:
    options = replace(PLAIN, dims=(CUT,), kinds=("flat", kind), nprobe=(4,) if "IVF" in kind else ())
    flat, cell = bench(dataset, tmp_path, HashEncoder(), options=options).cells
    assert cell.loss is not None
    # Every list is visited, so all that is lost was lost before the search.
    assert cell.loss.search == 0
    assert cell.loss.quantisation == pytest.approx(flat.measures["nDCG@10"] - cell.measures["nDCG@10"], abs=1e-12)
    assert cell.loss.quantisation > 0.01


def test_rescoring_gives_back_what_codes_lost(dataset: Dataset, tmp_path: Path) -> None:
    options = replace(PLAIN, dims=(CUT,), kinds=(PQ,), nprobe=(1, 4), rescore=(0, 240))
    cells = {cell.label: cell for cell in bench(dataset, tmp_path, HashEncoder(), options=options).cells}
    plain, rescored = cells["ivf4-pq6x2 nprobe4"].loss, cells["ivf4-pq6x2 nprobe4 rescore240"].loss
    assert plain is not None
    assert rescored is not None
    assert plain.search == 0
    assert plain.quantisation == rescored.quantisation > 0
    # 240 hits are all there are: rescored at full width, nothing is lost any more.
    assert rescored.total == pytest.approx(0, abs=1e-12)
    assert rescored.rescoring == pytest.approx(-rescored.quantisation - rescored.truncation)
    one = cells["ivf4-pq6x2 nprobe1 rescore240"]
    assert one.loss is not None
    assert one.loss.search == pytest.approx(rescored.reference - one.measures["nDCG@10"])


def test_a_flat_cell_at_full_width_loses_nothing_and_asks_for_nothing_else() -> None:
    asked: list[CellPlan] = []

    def mean(plan: CellPlan) -> float:
        asked.append(plan)
        return 0.5

    loss = split_loss(reference(DIM), 0.5, mean, width=DIM)
    assert (loss.total, loss.reference) == (0, 0.5)
    assert asked == [reference(DIM)]
