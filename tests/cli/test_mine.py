"""`searchapp mine` as it is typed."""

import json
import shutil
from pathlib import Path

import pytest

from searchapp.corpus import read_triplets
from searchapp.index import open_index
from tests.cli.test_commands import call

TEXTS = {
    "b1": "Leather tote bag, red",
    "b2": "Canvas tote bag, blue",
    "f1": "赤い革のトートバッグ",
    "g1": "가죽 가방, 빨강",
    "s1": "Bolso de cuero rojo",
    "w1": "Mfuko wa ngozi nyekundu",
    "k1": "Steel kettle",
}
QRELS = "query-id\tcorpus-id\tscore\nq1\tb1\t2\nq1\tb2\t1\nq1\tk1\t0\nq2\tk1\t2\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BEIR folder, and an index of it that was made with its titles alone."""
    folder = tmp_path_factory.mktemp("mine") / "shop"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": key, "title": text, "text": ""} for key, text in TEXTS.items()]
    queries = [{"_id": "q1", "text": "red leather bag"}, {"_id": "q2", "text": "boil water"}]
    for name, found in (("corpus", rows), ("queries", queries)):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "qrels" / "train.tsv").write_text(QRELS, encoding="utf-8")
    call("index", folder, "--out", folder.parent / "index", "--no-encoder")
    call("index", folder, "--out", folder.parent / "bare", "--no-encoder", "--store", "")
    return folder


def test_a_folder_brings_its_judgments(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "triplets.jsonl"
    done = call("mine", shop, "--threshold", "2", "--out", out, "--negatives", "2")
    assert done.stdout == ""
    rows = list(read_triplets(out))
    assert [(row.anchor, row.positive) for row in rows] == [
        ("red leather bag", "Leather tote bag, red"),
        ("boil water", "Steel kettle"),
    ]
    assert rows[0].negatives == ("Canvas tote bag, blue", "Steel kettle")
    assert "model minilm (the default" in done.stderr
    assert f"wrote 2 triplets to {out} with 4 negatives, 2 of them judged; 0 pairs have none" in done.stderr


def test_an_index_is_searched_as_it_is(shop: Path, tmp_path: Path) -> None:
    whole, stored, named = (tmp_path / f"{name}.jsonl" for name in ("whole", "stored", "named"))
    options = ("--negatives", 3, "--max-score-ratio", 1)
    judgments = ("--queries", shop / "queries.jsonl", "--qrels", shop / "qrels" / "train.tsv")
    call("mine", shop, *options, "--out", whole)
    done = call("mine", shop.parent / "index", *judgments, *options, "--out", stored, "--json")
    call("mine", shop.parent / "bare", "--corpus", shop, *options, "--out", named)
    assert whole.read_bytes() == stored.read_bytes() == named.read_bytes()
    counts = json.loads(done.stdout)
    assert (counts["out"], counts["queries"], counts["triplets"]) == (str(stored), 2, 3)
    assert counts["hits"] == 2 * len(open_index(shop.parent / "index"))
    refused = call("mine", shop.parent / "bare", *judgments, "--out", tmp_path / "x.jsonl", code=1)
    assert "is not the text that" in refused.stderr


def test_a_corpus_with_its_parts(shop: Path, tmp_path: Path) -> None:
    folder, parts = tmp_path / "folder.jsonl", tmp_path / "parts.jsonl"
    judgments = ("--queries", shop / "queries.jsonl", "--qrels", shop / "qrels" / "train.tsv")
    call("mine", shop, "--split", "train", "--out", folder)
    call("mine", shop / "corpus.jsonl", *judgments, "--out", parts)
    assert folder.read_bytes() == parts.read_bytes()


def test_skipped_rows_are_told(shop: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "broken.jsonl"
    corpus.write_bytes((shop / "corpus.jsonl").read_bytes() + b"broken\n")
    judgments = ("--queries", shop / "queries.jsonl", "--qrels", shop / "qrels" / "train.tsv")
    done = call("mine", corpus, *judgments, "--out", tmp_path / "t.jsonl", "--on-bad-row", "skip")
    assert f"skipped {corpus}:8: " in done.stderr


def test_skipped_rows_are_told_where_an_index_is_mined_too(shop: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "shop", tmp_path / "t.jsonl"
    shutil.copytree(shop, folder)
    for name in ("corpus", "queries"):
        with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as handle:
            handle.write("broken\n")
    judgments = ("--queries", folder / "queries.jsonl", "--qrels", shop / "qrels" / "train.tsv")
    assert "queries.jsonl:3: " in call("mine", shop.parent / "index", *judgments, "--out", out, code=1).stderr
    done = call("mine", shop.parent / "index", *judgments, "--out", out, "--on-bad-row", "skip")
    assert f"skipped {folder}/queries.jsonl:3: " in done.stderr
    named = call("mine", shop.parent / "index", "--corpus", folder, "--out", out, "--on-bad-row", "skip", "--overwrite")
    assert f"skipped {folder}/queries.jsonl:3: " in named.stderr
    assert f"skipped {folder}/corpus.jsonl:8: " in named.stderr


def test_a_text_that_is_asked_for_is_the_index_s_or_refused(shop: Path, tmp_path: Path) -> None:
    typed = ("mine", shop.parent / "index", "--corpus", shop, "--out", tmp_path / "t.jsonl", "--text")
    assert "again' for the document " in call(*typed, "{title} again", code=1).stderr
    call(*typed, "{title} {text}")


def test_what_an_index_was_made_with_is_not_given_again(shop: Path, tmp_path: Path) -> None:
    index, given = shop.parent / "index", ("--queries", "q", "--qrels", "j")
    for option, value in (("--document-prompt", "d: "), ("--revision", "main")):
        refused = call("mine", index, *given, "--out", tmp_path / "t", option, value, code=2)
        assert f"{option} doesn't go with an index, which was made with its own" in refused.stderr
    for option, value in (("--id", "x"), ("--locale", "jp"), ("--version", "small"), ("--format", "jsonl")):
        refused = call("mine", index, *given, "--out", tmp_path / "t", option, value, code=2)
        assert f"{option} doesn't go with an index without --corpus" in refused.stderr


def test_what_is_there_stays_unless_told(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    out.write_text("mine", encoding="utf-8")
    refused = call("mine", shop, "--out", out, code=2)
    assert f"{out} is there already; type the same call with --overwrite to replace it" in refused.stderr
    assert out.read_text(encoding="utf-8") == "mine"
    call("mine", shop, "--out", out, "--overwrite")
    assert len(list(read_triplets(out))) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{shop}"], 2, "a corpus and a place are needed; type: searchapp mine CORPUS --out triplets.jsonl"),
        (["{shop}", "--out", "{tmp}"], 2, "{tmp} is there already; name a file"),
        (["{shop}", "--out", "{tmp}/no/t.jsonl"], 2, "there is no folder {tmp}/no; make it"),
        pytest.param(
            ["{shop}", "--out", "/proc/t.jsonl"],
            2,
            "/proc can't be written to (",
            marks=pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no files"),
        ),
        (["{shop}", "--out", "{tmp}/t", "--threshold", "9", "--model", "no-model"], 1, "; type --threshold 2"),
        (["{shop}", "--out", "{tmp}/t", "--queries", "q"], 2, "--queries and --qrels go together; type both"),
        (
            ["{shop}/corpus.jsonl", "--out", "{tmp}/t"],
            2,
            "has no judgments of its own; type --queries FILE and --qrels",
        ),
        (
            ["{index}", "--out", "{tmp}/t"],
            2,
            "an index has no judgments; type --queries FILE and --qrels FILE, or --cor",
        ),
        (["{shop}", "--out", "{tmp}/t", "--corpus", "{shop}"], 2, "--corpus goes with an index, and {shop} is none"),
        (
            ["{shop}", "--out", "{tmp}/t", "--split", "dev"],
            1,
            "has no split 'dev'; type --split (to train: --set data.split=) with one of: train",
        ),
        (["{index}", "--out", "{tmp}/t", "--query-prompt", "q: "], 2, "--query-prompt doesn't go with an index"),
        (["{shop}", "--out", "{tmp}/t", "--negatives", "0"], 2, "--negatives must be at least 1"),
        (
            ["{shop}", "--out", "{tmp}/t", "--qrels", "a", "--queries", "b", "--split", "x"],
            2,
            "--split goes with a fol",
        ),
        (
            ["{index}", "--out", "{tmp}/t", "--qrels", "a", "--queries", "b", "--text", "x"],
            2,
            "--text doesn't go with an",
        ),
    ],
)
def test_mistakes(shop: Path, tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    places = {"shop": shop, "index": shop.parent / "index", "tmp": tmp_path}
    refused = call("mine", *(argument.format(**places) for argument in arguments), code=code)
    assert message.format(**places) in refused.stderr
    assert list(tmp_path.iterdir()) == []
