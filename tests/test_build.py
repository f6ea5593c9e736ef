"""The write path: what is built, what is refused before work, and that nothing is ever half there."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import ReadOptions, open_corpus
from searchapp.encoders import CANARIES
from searchapp.errors import BadVectorsError, IndexFolderError, InputError, RowError, UsageError
from searchapp.index import Setting, open_index
from searchapp.prompts import Prompts
from searchapp.shards import SHARD_DOCUMENTS
from tests.fakes import HashEncoder, PoisonedEncoder, StoppingEncoder

WORDS = (
    "red leather bag",
    "bolso de cuero rojo",
    "赤い 革 バッグ",
    "빨간 가죽 가방",
    "mfuko mwekundu wa ngozi",
    "steel kettle",
)


def write_corpus(path: Path, count: int) -> Path:
    rows = [{"_id": f"p{n}", "text": f"{WORDS[n % len(WORDS)]} {n}", "price": n / 4, "stock": n} for n in range(count)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_rows_vectors_and_documents_belong_together_across_shards(tmp_path: Path) -> None:
    count = SHARD_DOCUMENTS + 1_000
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", count))
    encoder = HashEncoder()
    index = build_index(corpus, tmp_path / "shop", encoder=encoder)
    assert [shard.rows for shard in index.manifest.shards] == [SHARD_DOCUMENTS, 1_000]
    rows = np.array([0, 5, SHARD_DOCUMENTS - 1, SHARD_DOCUMENTS, count - 1])
    assert index.documents.ids(rows) == [f"p{row}" for row in rows]
    texts = [f"{WORDS[row % len(WORDS)]} {row}" for row in rows]
    np.testing.assert_array_equal(index.vectors.take(rows), encoder.encode_documents(texts))
    assert index.documents.fields(SHARD_DOCUMENTS) == {
        "text": texts[3],
        "price": SHARD_DOCUMENTS / 4,
        "stock": SHARD_DOCUMENTS,
    }
    assert index.documents.rows(["p16384", "nobody", "p3"]) == {"p16384": SHARD_DOCUMENTS, "p3": 3}
    index.verify()


def test_the_manifest_is_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("sku,name,brand\na,Bag,Northvale\nb,Bag,Northvale\nc,passage: Kettle,\n", encoding="utf-8")
    encoder = HashEncoder(Prompts("query: ", "passage: ", "option"))
    corpus = open_corpus(path, ReadOptions(text="{name} {brand}", id_column="sku"))
    options = BuildOptions(dims=(48, 16), kinds=("flat",), layer_norm=True)
    index = build_index(corpus, tmp_path / "shop", encoder=encoder, options=options)
    body = json.loads((tmp_path / "shop/manifest.json").read_text(encoding="utf-8"))
    assert body["encoder"] == {
        "model": "hash-0",
        "revision": None,
        "fingerprint": "0" * 64,
        "dim": 48,
        "prompts": {"query": "query: ", "document": "passage: ", "source": "option"},
        "pooling": "sum",
        "max_seq_length": None,
        "dtype": "float32",
        "runtime": "numpy",
    }
    assert body["corpus"]["text_template"] == "{name} {brand}"
    assert body["counts"] == {
        "documents": 3,
        "vectors": 3,
        "deleted": 0,
        "skipped": 0,
        "duplicates": 1,
        "truncated": 0,
        "tokens_lost": 0,
        "already_prefixed": 1,
    }
    assert body["layer_norm"] is True
    parts = [derived["parts"] for derived in body["derived"]]
    assert parts == [[{"rows": 3, "file": "d48-flat.faiss"}], [{"rows": 3, "file": "d16-flat.faiss"}]]
    assert set(body["files"]) == set(folder_bytes(tmp_path / "shop")) - {"manifest.json"}
    assert "passage: Kettle" in encoder.seen
    assert "passage: passage: Kettle" not in encoder.seen
    queries, documents = index.canaries
    np.testing.assert_array_equal(documents, encoder.encode_documents(CANARIES))
    np.testing.assert_array_equal(queries, encoder.encode_queries(CANARIES))


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 1_000))
    options = BuildOptions(dims=(48, 16), kinds=("flat", "sq8", "ivf-flat"))
    for name in ("one", "two"):
        build_index(corpus, tmp_path / name, encoder=HashEncoder(), options=options)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (BuildOptions(kinds=("ivf-pq",)), r"60 documents are too few for kind ivf-pq, .* 624; type: --kind flat"),
        (BuildOptions(kinds=("IVF64,Flat",)), r"60 documents are too few for IVF64,Flat, .* 2,496"),
        (BuildOptions(dims=(49,)), r"49 dims: the model gives 48; type a number from 1 to 48"),
        (BuildOptions(kinds=("falt",)), r"FAISS can't make 'falt'"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_text_is_embedded(
    tmp_path: Path, options: BuildOptions, message: str
) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 60))
    encoder = HashEncoder()
    with pytest.raises(UsageError, match=message):
        build_index(corpus, tmp_path / "shop", encoder=encoder, options=options)
    assert encoder.counts.texts == 0
    assert not (tmp_path / "shop").exists()


def test_a_bad_row_far_down_is_found_before_any_text_is_embedded(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "shop.jsonl", 5_000)
    with path.open("a", encoding="utf-8") as handle:
        handle.write('{"_id": "p7", "text": "again"}\n')
    encoder = HashEncoder()
    with pytest.raises(RowError, match=r"shop\.jsonl:5001: the id 'p7' is in .*shop\.jsonl:8 already"):
        build_index(open_corpus(path), tmp_path / "shop", encoder=encoder)
    assert encoder.counts.texts == 0


def test_a_nan_names_its_document_and_leaves_the_old_index(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 50))
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder())
    before = folder_bytes(tmp_path)
    with pytest.raises(BadVectorsError, match=r"p5 \(.*shop\.jsonl:6\)"):
        build_index(corpus, tmp_path / "shop", encoder=PoisonedEncoder("kettle"), options=BuildOptions(overwrite=True))
    assert folder_bytes(tmp_path) == before


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 9_000))
    before = folder_bytes(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, tmp_path / "shop", encoder=StoppingEncoder(4_000))
    assert folder_bytes(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.jsonl"]


def test_an_index_is_replaced_only_when_told_to_and_nothing_else_ever_is(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 20))
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder())
    with pytest.raises(IndexFolderError, match=r"shop holds an index already; type the same call with --overwrite"):
        build_index(corpus, tmp_path / "shop", encoder=HashEncoder())
    other = BuildOptions(dims=(40,), overwrite=True)
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder(), options=other)
    assert [derived.name for derived in open_index(tmp_path / "shop").manifest.derived] == ["d40-flat"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(IndexFolderError, match="home is not an index and is not empty, so it is left alone"):
        build_index(corpus, tmp_path / "home", encoder=HashEncoder(), options=other)
    assert (tmp_path / "home/thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_an_open_index_keeps_its_version_while_a_new_one_is_put_in_place(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "shop.jsonl", 20)
    reader = build_index(open_corpus(path), tmp_path / "shop", encoder=HashEncoder())
    query = HashEncoder().encode_queries(["steel kettle 5"])
    before = reader.search(query, 3)
    names = reader.documents.ids(before.rows[0])
    write_corpus(path, 2)
    build_index(open_corpus(path), tmp_path / "shop", encoder=HashEncoder(), options=BuildOptions(overwrite=True))
    after = reader.search(query, 3)
    np.testing.assert_array_equal(before.rows, after.rows)
    assert reader.documents.ids(after.rows[0]) == names
    assert len(open_index(tmp_path / "shop")) == 2


class _GrowingCorpusEncoder(HashEncoder):
    """Somebody appends to the corpus while it is being indexed."""

    path: Path

    def encode_documents(self, texts: object) -> np.ndarray:
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"_id": f"late{self.counts.texts}", "text": "late"}) + "\n")
        assert isinstance(texts, (list, tuple))
        return super().encode_documents(texts)


def test_a_corpus_that_changes_meanwhile_is_an_error(tmp_path: Path) -> None:
    encoder = _GrowingCorpusEncoder()
    encoder.path = write_corpus(tmp_path / "shop.jsonl", 30)
    with pytest.raises(InputError, match=r"shop.* changed while it was read: 30 documents at first, 3[12] then"):
        build_index(open_corpus(encoder.path), tmp_path / "shop", encoder=encoder)
    assert not (tmp_path / "shop").exists()


def test_progress_reaches_the_number_of_documents(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 5_000))
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder(), progress=lambda *step: told.append(step))
    embedded = [done for stage, done, total in told if stage == "embedding" and total == 5_000]
    assert embedded == [0, 2_048, 4_096, 5_000]
    assert told[-3:] == [
        ("building d48-flat", 0, 5_000),
        ("building d48-flat", 5_000, 5_000),
        ("putting in place", 0, None),
    ]


def test_auto_knows_when_flat_is_best(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 10))
    index = build_index(corpus, tmp_path / "shop", encoder=HashEncoder())
    assert index.choose(Setting()).factory == "Flat"
    assert dataclasses.asdict(index.choose(Setting()))["trained_on"] == 0
