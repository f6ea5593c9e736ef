"""The read path: hits, prompts, and a Searcher that refuses an encoder the index was not made with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.build import build_index
from searchapp.corpus import open_corpus
from searchapp.encoders import load_encoder
from searchapp.errors import BadVectorsError, ContractError
from searchapp.index import Index
from searchapp.prompts import Prompts
from searchapp.search import Searcher, open_searcher
from tests.fakes import DriftedEncoder, HashEncoder, PoisonedEncoder
from tests.models_on_disk import make_static

PROMPTS = Prompts("query: ", "passage: ", "option")


def other_card(*, pooling: str = "sum", max_seq_length: int | None = None) -> HashEncoder:
    """Return the encoder of the index but for what its card says."""
    encoder = HashEncoder(PROMPTS)
    encoder.card = replace(encoder.card, pooling=pooling, max_seq_length=max_seq_length)
    return encoder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("search")
    (folder / "shop.tsv").write_text(
        "id\ttext\tbrand\nb1\tred leather bag\tNorthvale\nb2\tblue leather bag\t\nk1\tsteel kettle\tHearth\n"
        "j1\t赤い 革 バッグ\t北谷\n",
        encoding="utf-8",
    )
    return build_index(open_corpus(folder / "shop.tsv"), folder / "shop", encoder=HashEncoder(PROMPTS))


def test_hits_carry_rank_id_score_and_stored_fields(index: Index) -> None:
    encoder = HashEncoder(PROMPTS)
    hits = Searcher(index, encoder).search(["red leather bag", "赤い バッグ"], 2)
    assert [hit.doc_id for hit in hits[0]] == ["b1", "b2"]
    assert [hit.rank for hit in hits[0]] == [1, 2]
    assert hits[0][0].fields == {"text": "red leather bag", "brand": "Northvale"}
    assert hits[1][0].doc_id == "j1"
    query, document = encoder.encode_queries(["red leather bag"])[0], encoder.encode_documents(["red leather bag"])[0]
    cosine = np.dot(query, document) / np.linalg.norm(query) / np.linalg.norm(document)
    assert hits[0][0].score == pytest.approx(cosine, abs=1e-6)


def test_queries_get_the_query_prompt_once(index: Index) -> None:
    encoder = HashEncoder(PROMPTS)
    plain, prefixed = Searcher(index, encoder).search(["steel kettle", "query: steel kettle"], 4)
    assert plain == prefixed
    assert "query: query: steel kettle" not in encoder.seen


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (HashEncoder(PROMPTS, salt=7), r"made with hash-0 \(weights 000000000000\.\.\.\), this is hash-7"),
        (HashEncoder(Prompts("", "passage: ")), r"query prompt query: \), this is hash-0 \(query prompt ''\)"),
        (HashEncoder(Prompts("query: ", "")), r"document prompt passage: \), this is hash-0 \(document prompt ''\)"),
        (other_card(pooling="cls"), r"\(pooling sum\), this is hash-0 \(pooling cls\)"),
        (other_card(max_seq_length=12), r"\(max_seq_length None\), this is hash-0 \(max_seq_length 12\)"),
        (HashEncoder(PROMPTS, dim=47), r"\(dim 48\), this is hash-0 \(dim 47\)"),
    ],
)
def test_another_model_or_prompt_is_an_error_that_names_both(index: Index, encoder: HashEncoder, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Searcher(index, encoder)


def test_a_runtime_that_gives_other_vectors_is_found_by_the_canaries(index: Index) -> None:
    encoder = DriftedEncoder()
    encoder.card = replace(encoder.card, prompts=PROMPTS)
    with pytest.raises(
        ContractError, match=r"gave the query '.+' another vector \(cosine -?0\.\d+ between then and now"
    ):
        Searcher(index, encoder)


def test_a_runtime_that_gives_nan_is_refused(index: Index) -> None:
    encoder = PoisonedEncoder("")
    encoder.card = replace(encoder.card, prompts=PROMPTS)
    with pytest.raises(BadVectorsError, match=r"hash-0 on numpy gives NaN for the document"):
        Searcher(index, encoder)


def test_nan_for_documents_alone_is_found_where_both_roles_have_one_prompt(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,text\na,red leather bag\nb,steel kettle\n", encoding="utf-8")
    index = build_index(open_corpus(tmp_path / "c.csv"), tmp_path / "plain", encoder=HashEncoder())
    assert np.array_equal(*index.canaries)
    with pytest.raises(BadVectorsError, match=r"hash-0 on numpy gives NaN for the document"):
        Searcher(index, PoisonedEncoder(""))
    assert Searcher(index, HashEncoder()).search(["kettle"], 1)[0][0].doc_id == "b"


def test_a_query_s_encoder_is_shown_the_canaries_once_where_both_roles_are_one_function(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,text\na,red leather bag\nb,steel kettle\n", encoding="utf-8")
    build_index(open_corpus(tmp_path / "c.csv"), tmp_path / "c", encoder=load_encoder(str(make_static(tmp_path / "m"))))
    searcher = open_searcher(tmp_path / "c")
    assert searcher.encoder.counts.texts == len(searcher.index.manifest.canary_texts)
