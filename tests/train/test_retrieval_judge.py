"""The judge on retrieval: sentence-transformers' numbers to 1e-6, and those of `searchapp bench` with a flat index."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.bench.plan import BenchOptions
from searchapp.corpus import ReadOptions, open_dataset
from searchapp.encoders import Encoder, load_encoder
from searchapp.errors import BadVectorsError, InputError, UsageError
from searchapp.judging.card import card_key
from searchapp.metrics import ESCI, Judging
from searchapp.prompts import Prompts
from searchapp.records import Document, Triplet
from searchapp.train.examples import Example
from searchapp.train.judge import Judge
from searchapp.train.keys import RETRIEVAL_MEASURES
from searchapp.train.recipe import JudgeSpec
from searchapp.train.retrieval_judge import Asked, RetrievalJudge, asked_of_dataset, asked_of_pairs
from tests.bench.benching import bench
from tests.fakes import HashEncoder, PoisonedEncoder
from tests.judging.peers import load_peer, peer_retrieval
from tests.models_on_disk import make_bge, make_collapsed, make_e5, make_nomic

KEYS = [
    *(f"cosine_{name}@{k}" for name in ("accuracy", "precision", "recall") for k in (1, 3, 5, 10)),
    *("cosine_ndcg@10", "cosine_mrr@10", "cosine_map@100"),
]
PAIRS = (
    Triplet("bag", "a red bag", ("a kettle",)),
    Triplet("table", "an oak table", ()),
    Triplet("bag", "a leather bag", ()),
    Triplet("oak", "an oak table", ()),
    Triplet("bag", "a red bag", ()),
)


@pytest.fixture(scope="module")
def telecom(real_data: Path) -> list[Triplet]:
    """Abbreviations, and their expansions, beside both at once: even a random model finds some of them."""
    with (real_data / "telecom" / "abbreviations.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))[::4]
    pairs = [
        (row[name], f"{row['expansion']} ({row['abbreviation']})")
        for name in ("expansion", "abbreviation")
        for row in rows
    ]
    return [Triplet(*pair, ()) for pair in pairs]


@pytest.mark.parametrize("make", [make_nomic, make_bge, make_e5], ids=["nomic", "bge", "e5"])
def test_pairs_equal_sentence_transformers(
    make: Callable[[Path], Path], telecom: list[Triplet], tmp_path: Path
) -> None:
    path = make(tmp_path / "model")
    asked = asked_of_pairs(telecom)
    dims = (48, 24, 7)
    encoder = load_encoder(str(path))
    found = RetrievalJudge(asked, spec=JudgeSpec(name="dim"), dims=dims).judge(encoder)
    peer = load_peer(str(path))
    assert list(found) == ["dim_48", "dim_24", "dim_7"]
    for dim, measures in zip(dims, found.values(), strict=True):
        theirs = peer_retrieval(peer, asked, encoder.card.prompts, dim)
        assert list(measures) == list(theirs) == KEYS
        assert dict(measures) == pytest.approx(theirs, abs=1e-6)
        assert 0 < measures["cosine_accuracy@1"] < measures["cosine_accuracy@10"] < 1


def check_against_the_bench(folder: Path, encoder: Encoder, cache: Path, *, options: ReadOptions) -> None:
    dims = (encoder.card.dim, 10)
    dataset = open_dataset(folder, options=options)
    report = bench(dataset, cache, encoder, options=BenchOptions(dims=dims, baselines=()))
    found = RetrievalJudge(asked_of_dataset(dataset), spec=JudgeSpec(name="shop"), dims=dims).judge(encoder)
    assert list(found) == [f"shop-{dim}" for dim in dims]
    for dim, measures in zip(dims, found.values(), strict=True):
        cell = report.cell(f"d{dim}-flat")
        theirs = {key: value for name, value in cell.measures.items() if (key := card_key(name)) in RETRIEVAL_MEASURES}
        assert dict(measures) == theirs
        assert len(theirs) == len(KEYS)


def test_graded_products_are_judged_as_the_bench_judges_them(sample_data: Path, tmp_path: Path) -> None:
    # ESCI: gains of four grades, only E is relevant. The numbers of binary grades would be others.
    encoder = HashEncoder(Prompts("q: ", "d: "))
    check_against_the_bench(sample_data, encoder, tmp_path, options=ReadOptions(text="{product_title}"))


def test_a_folder_of_home_depot_s_layout_is_judged_as_the_bench_judges_it(beir_graded: Path, tmp_path: Path) -> None:
    encoder = load_encoder(str(make_bge(tmp_path / "model")))
    check_against_the_bench(beir_graded, encoder, tmp_path / "cache", options=ReadOptions())


@pytest.fixture
def beir_graded(real_data: Path, tmp_path: Path) -> Path:
    """Every fortieth query of Home Depot's test split with its products, and as many nobody judged."""
    source, folder = real_data / "home_depot", tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    head, *lines = (source / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    kept = sorted({line.split("\t")[0] for line in lines})[::40]
    lines = [line for line in lines if line.split("\t")[0] in kept]
    (folder / "qrels" / "test.tsv").write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    judged = {line.split("\t")[1] for line in lines}
    with (source / "corpus.jsonl").open(encoding="utf-8") as corpus:
        rows = [row for number, row in enumerate(corpus) if number % 400 == 0 or row.split('"')[3] in judged]
    (folder / "corpus.jsonl").write_text("".join(rows), encoding="utf-8")
    (folder / "queries.jsonl").write_bytes((source / "queries.jsonl").read_bytes())
    return folder


def test_pairs_are_distinct_queries_documents_and_judgments() -> None:
    asked = asked_of_pairs(PAIRS)
    assert [(query.query_id, query.text) for query in asked.queries] == [("0", "bag"), ("1", "table"), ("2", "oak")]
    assert [(one.doc_id, one.text) for one in asked.documents] == [
        ("0", "a red bag"),
        ("1", "an oak table"),
        ("2", "a leather bag"),
    ]
    assert asked.qrels == {"0": {"0": 1, "2": 1}, "1": {"1": 1}, "2": {"1": 1}}


def test_rows_are_what_the_loss_is_computed_on() -> None:
    assert list(RetrievalJudge(asked_of_pairs(PAIRS), spec=JudgeSpec(), dims=(48,)).examples) == [
        Example("bag", "a red bag"),
        Example("table", "an oak table"),
        Example("bag", "a leather bag"),
        Example("oak", "an oak table"),
        Example("bag", "a red bag"),
    ]


def test_fingerprints_are_of_what_is_judged_on() -> None:
    def found(asked: Asked) -> str:
        return RetrievalJudge(asked, spec=JudgeSpec(), dims=(48,)).fingerprint

    asked = asked_of_pairs(PAIRS)
    turned = replace(asked, queries=asked.queries[::-1], documents=asked.documents[::-1])
    assert found(asked) == found(turned)
    others = (
        asked,
        replace(asked, queries=asked.queries[1:]),
        replace(asked, documents=(*asked.documents, Document("3", "a kettle"))),
        replace(asked, qrels={**asked.qrels, "2": {"1": 2}}),
        replace(asked, judging=Judging(threshold=2)),
        replace(asked, judging=Judging(gains=ESCI)),
    )
    assert len({found(one) for one in others}) == 6


def test_a_judge_says_what_it_keeps_by_and_what_it_holds() -> None:
    judge: Judge = RetrievalJudge(asked_of_pairs(PAIRS), spec=JudgeSpec(name="e5-eval-real"), dims=(48,))
    assert (judge.task, judge.measure) == ("retrieval", "e5-eval-real_cosine_ndcg@10")
    assert list(judge.queries) == ["bag", "table", "oak"]
    assert list(judge.documents) == ["a red bag", "an oak table", "a leather bag"]
    spec = JudgeSpec(name="dim", measure="cosine_map@100")
    assert RetrievalJudge(asked_of_pairs(PAIRS), spec=spec, dims=(16, 48)).measure == "dim_48_cosine_map@100"
    with pytest.raises(UsageError, match=r"'map@100'.* did you mean cosine_map@100\?"):
        RetrievalJudge(asked_of_pairs(PAIRS), spec=JudgeSpec(measure="map@100"), dims=(48,))


def test_bad_vectors_are_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(BadVectorsError, match="the text 'an oak table' holds NaN"):
        RetrievalJudge(asked_of_pairs(PAIRS), spec=JudgeSpec(), dims=(48,)).judge(PoisonedEncoder("oak table"))
    collapsed = load_encoder(str(make_collapsed(tmp_path / "model")))
    with pytest.raises(BadVectorsError, match="it has collapsed"):
        RetrievalJudge(asked_of_pairs(PAIRS), spec=JudgeSpec(), dims=(50,)).judge(collapsed)


def test_judged_documents_must_be_in_the_corpus(beir_graded: Path) -> None:
    qrels = beir_graded / "qrels" / "test.tsv"
    judgments = qrels.read_text(encoding="utf-8")
    qrels.write_text(f"{judgments}{judgments.splitlines()[1].split()[0]}\tnowhere\t6\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"1 of [0-9]+ judged documents are not in the corpus of beir \(such as nowhere\)"
    ):
        asked_of_dataset(open_dataset(beir_graded))


def test_progress_tells_texts_and_dims() -> None:
    told: list[tuple[str, int, int | None]] = []
    judge = RetrievalJudge(
        asked_of_pairs(PAIRS), spec=JudgeSpec(), dims=(8, 48), progress=lambda *step: told.append(step)
    )
    judge.judge(HashEncoder())
    assert told == [("embedding", 3, 6), ("embedding", 6, 6), ("measuring d48", 0, 2), ("measuring d8", 1, 2)]


def test_progress_tells_how_far_a_corpus_is_read(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t7\t1\n")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "bag"}\n')
    rows = (f'{{"_id": "{number}", "title": "", "text": "bag {number}"}}\n' for number in range(2500))
    (tmp_path / "corpus.jsonl").write_text("".join(rows))
    told: list[tuple[str, int, int | None]] = []
    asked = asked_of_dataset(open_dataset(tmp_path), lambda *step: told.append(step))
    assert told == [("reading", 1000, None), ("reading", 2000, None)]
    assert len(asked.documents) == 2500
