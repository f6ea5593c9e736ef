"""The commands, end to end with the packaged model: what they print, keep, refuse and exit with."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from searchapp.cli.main import app
from searchapp.index import open_index
from tests.models_on_disk import make_fifty


def call(*arguments: object, code: int = 0, typed: str | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed, env={"COLUMNS": "100"})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a few products in several languages."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "shop.csv").write_text(
        "sku,name,brand,color\n"
        "b1,Leather Tote Bag,Northvale,red\nb2,Bolso de cuero,Casa Lumen,rojo\nb3,革のトートバッグ,北谷,赤\n"
        "k1,Steel Kettle,Hearth,silver\nw1,가죽 지갑,,검정\nm1,Mfuko wa ngozi,Jua,nyekundu\n",
        encoding="utf-8",
    )
    done = call(
        "index", folder / "shop.csv", "--out", folder / "shop", "--text", "{name}, {brand}, {color}", "--id", "sku"
    )
    assert "text '{name}, {brand}, {color}'" in done.stderr
    assert re.search(r"model minilm \(the default; choose with --model\): 384 dims, mean\S* pooling", done.stderr)
    assert "prompts: none" in done.stderr
    assert "will build d384-flat (Flat)" in done.stderr
    return folder / "shop"


def test_a_query_finds_and_shows(shop: Path) -> None:
    shown = call("query", shop, "red leather bag", "-k", "3").stdout.splitlines()
    assert shown[0].split() == ["rank", "score", "doc_id", "name", "brand", "color"]
    assert shown[1].split()[:1] == ["1"]
    assert "Leather Tote Bag" in shown[1]
    assert len(shown) == 4
    assert all(len(line) <= 100 for line in shown)


def test_a_query_as_json_is_one_object_a_line(shop: Path) -> None:
    lines = call("query", shop, "kettle", "-k", "2", "--json").stdout.splitlines()
    first, second = map(json.loads, lines)
    assert first["doc_id"] == "k1"
    assert first["fields"] == {"name": "Steel Kettle", "brand": "Hearth", "color": "silver"}
    assert (first["rank"], second["rank"], first["query"]) == (1, 2, "kettle")
    assert 0.5 < first["score"] <= 1


def test_wide_characters_fit_the_table(shop: Path) -> None:
    from rich.cells import cell_len

    shown = call("query", shop, "赤い革のトートバッグ", "-k", "6").stdout.splitlines()
    assert any("革のトートバッグ" in line for line in shown)
    assert all(cell_len(line) <= 100 for line in shown)


def test_many_queries_become_a_run(shop: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"_id": "q1", "text": "kettle"}\n{"_id": "q2", "text": "mfuko"}\n', encoding="utf-8")
    done = call("query", shop, "--queries", queries, "--run", tmp_path / "out.trec", "-k", "2")
    assert "wrote 4 hits of 2 queries" in done.stderr
    lines = (tmp_path / "out.trec").read_text(encoding="utf-8").splitlines()
    assert [line.split()[:4] for line in lines[::2]] == [["q1", "Q0", "k1", "1"], ["q2", "Q0", "m1", "1"]]
    assert lines[0].endswith(" searchapp-d384-flat")


def test_info_shows_the_manifest(shop: Path) -> None:
    shown = call("info", shop).stdout
    assert "6 documents" in shown
    assert "minilm, 384 dims" in shown
    body = json.loads(call("info", shop, "--json").stdout)
    assert body["documents"] == 6
    assert body["encoder"]["max_seq_length"] == 256
    assert body["format"] == "searchapp-index"


def test_verify_names_every_damaged_file(shop: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shop, tmp_path / "copy"))
    files = sum(path.is_file() for path in folder.rglob("*"))
    assert f"verified: all {files} files of {folder} are as they were written" in call("verify", folder).stdout
    assert json.loads(call("verify", folder, "--json").stdout)["ok"] is True
    (folder / "vectors/00000.npy").unlink()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    done = call("verify", folder, code=1)
    assert done.stdout.splitlines() == [
        f"{folder / 'notes.txt'} is none of this index's files; move it away, unless somebody is writing here",
        f"{folder / 'vectors/00000.npy'} is missing; build the index again",
    ]
    body = json.loads(call("verify", folder, "--json", code=1).stdout)
    assert [problem["file"] for problem in body["problems"]] == ["notes.txt", "vectors/00000.npy"]
    assert body["ok"] is False
    assert "is not an index" in call("verify", tmp_path, code=1).stderr


def test_a_dim_is_added_without_the_model(shop: Path) -> None:
    done = call("index", "--from", shop, "--dim", "64", "--kind", "flat", "--json")
    assert "added d64-flat" in done.stderr
    names = [part["file"] for d in json.loads(done.stdout)["derived"] for part in d["parts"]]
    assert names == ["d384-flat.faiss", "d64-flat.faiss"]
    again = call("index", "--from", shop, "--dim", "64", "--kind", "flat")
    assert "nothing to add" in again.stderr
    hits = call("query", shop, "kettle", "--dim", "64", "--json", "-k", "1").stdout
    assert json.loads(hits)["doc_id"] == "k1"


def test_a_corpus_may_come_through_a_pipe(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": "d{n}", "text": "text number {n}"}}\n' for n in range(12))
    call("index", "-", "--out", tmp_path / "piped", "--dim", "32", typed=rows)
    assert len(open_index(tmp_path / "piped")) == 12


def test_bench_of_an_index_takes_its_model_and_prompts(beir_folder: Path, tmp_path: Path) -> None:
    corpus = beir_folder / "corpus.jsonl"
    # Without an encoder of its own: that one's sums differ in the seventh digit, and this corpus is full of near ties.
    prompts = ("--query-prompt", "find: ", "--document-prompt", "item: ")
    call("index", corpus, "--out", tmp_path / "mine", "--no-encoder", *prompts)
    body = json.loads(call("bench", beir_folder, "--index", tmp_path / "mine", "--baselines", "none", "--json").stdout)
    plain = json.loads(call("bench", beir_folder, "--baselines", "none", "--json").stdout)
    told = json.loads(
        call(
            "bench",
            beir_folder,
            "--baselines",
            "none",
            "--json",
            "--query-prompt",
            "find: ",
            "--document-prompt",
            "item: ",
        ).stdout
    )
    assert body["cells"][0]["measures"] == told["cells"][0]["measures"]
    assert body["cells"][0]["measures"] != plain["cells"][0]["measures"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["index"], 2, "a corpus and a place are needed; type: searchapp index CORPUS --out indexes/NAME"),
        (["index", "x.jsonl", "--out", "{tmp}/y", "--from", "{shop}"], 2, "--from adds to an index that is there"),
        (["index", "{tmp}/nothing.jsonl", "--out", "{tmp}/y"], 1, "nothing.jsonl"),
        (
            ["index", "{tmp}/shop.csv", "--out", "{shop}"],
            1,
            "holds an index already; type the same call with --overwrite",
        ),
        (
            ["index", "{csv}", "--out", "{tmp}/y", "--kind", "ivf-pq", "--id", "sku"],
            2,
            "6 documents are too few for kind ivf-pq",
        ),
        (["index", "{csv}", "--out", "{tmp}/y", "--dim", "big"], 2, "--dim holds 'big', which is no whole number"),
        (
            ["index", "{csv}", "--out", "{tmp}/y", "--on-bad-row", "shrug"],
            2,
            "type --on-bad-row error or --on-bad-row skip",
        ),
        (["index", "{csv}", "--out", "{tmp}/y", "--text", "{{colour}}"], 1, "color"),
        (["index", "{csv}", "--out", "{tmp}/y", "--on-truncate", "chnk"], 2, "type --on-truncate chunk or"),
        (["index", "{csv}", "--out", "{tmp}/y", "--id", "sku", "--chunk-overlap", "9"], 2, "it is warn; leave one of"),
        (["index", "--from", "{shop}", "--on-truncate", "chunk"], 2, "--on-truncate doesn't go with --from"),
        (["index", "--from", "{shop}", "--precision", "int8"], 2, "--precision doesn't go with --from"),
        (["index", "--from", "{shop}", "--device", "cuda"], 2, "--device doesn't go with --from"),
        (["index", "--from", "{shop}", "--on-bad-row", "skip"], 2, "--on-bad-row doesn't go with --from"),
        (["query", "{shop}"], 2, 'one of the two is needed: searchapp query INDEX "words", or --queries FILE'),
        (["query", "{shop}", " "], 2, "the query is empty"),
        (["query", "{shop}", "bag", "-k", "0"], 2, "-k is 0; at least 1"),
        (["query", "{shop}", "bag", "--dim", "99"], 2, "searchapp index --from {shop} --dim 99"),
        (["query", "{tmp}", "bag"], 1, "is not an index: it has no manifest.json"),
        (["info", "{tmp}/none"], 1, "there is no folder {tmp}/none; make an index with: searchapp index CORPUS --out"),
        (["bench", "{tmp}/none"], 1, "{tmp}/none"),
        (["bench", "{tmp}", "--protocol", "both"], 2, "--protocol is 'both'; type --protocol full-corpus"),
        (["bench", "{tmp}", "--measures", "nDGC@10"], 1, "nDCG"),
        (["bench", "--corpus", "x"], 2, "--corpus, --queries and --qrels go together"),
        (
            ["bench", "{tmp}", "--index", "{shop}", "--text", "x"],
            2,
            "--text doesn't go with --index, which was made with",
        ),
        (["bench", "{tmp}", "--index", "{shop}", "--query-prompt", ""], 2, "--query-prompt doesn't go with --index"),
        (["bench", "{tmp}", "--no-relevant", "keep"], 2, "type --no-relevant drop or --no-relevant zero"),
        (["bench", "{tmp}", "--out", "{csv}"], 1, "is not a bench's results and is not empty, so it is left alone"),
        (
            ["index", "--from", "{shop}", "--layer-norm"],
            2,
            "--layer-norm doesn't go with --from, which takes the vectors",
        ),
        (["index", "--from", "{shop}", "--kind", ","], 2, "no kind is named; type --kind auto, or one of flat, sq8"),
        (["query", "{shop}", "caf\udce9"], 2, "the query holds bytes that are no text in UTF-8"),
        (["query", "{shop}", "bag", "--nprobe", "3"], 2, "has no lists to visit; leave --nprobe away"),
        (["query", "{shop}", "bag", "--rescore", "3"], 2, "--rescore 3 is fewer than the 10 hits asked for"),
        (
            ["query", "{shop}", "bag", "--run", "r.trec", "--json"],
            2,
            "--run writes the hits to a file and --json prints",
        ),
    ],
)
def test_a_mistake_gets_one_line_and_an_exit_code(
    shop: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    places = {"tmp": str(tmp_path), "shop": str(shop), "csv": str(shop.parent / "shop.csv")}
    done = call(*(argument.format(**places) for argument in arguments), code=code)
    lines = done.stderr.splitlines()
    assert message.format(**places) in lines[-1]
    assert lines[-1].startswith("searchapp: ")
    assert "Traceback" not in done.output


def test_long_texts_are_told_refused_or_cut_into_chunks(tmp_path: Path) -> None:
    long = "plain words about nothing at all. " * 80 + "A kettle boils water for tea."
    rows = [{"_id": "k", "text": long}, {"_id": "b", "text": "red leather bag"}]
    corpus = tmp_path / "two.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    warned = call("index", corpus, "--out", tmp_path / "warned")
    assert "1 of 2 documents are longer than the 256 tokens the model sees: " in warned.stderr
    refused = call("index", corpus, "--out", tmp_path / "refused", "--on-truncate", "error", code=1)
    assert refused.stderr.splitlines()[-1].startswith(f"searchapp: {corpus}:1: the text of 'k' has 5")
    assert not (tmp_path / "refused").exists()
    made = call("index", corpus, "--out", tmp_path / "made", "--on-truncate", "chunk", "--chunk-overlap", "20")
    rows_made = open_index(tmp_path / "made").manifest.rows
    assert f"2 documents became {rows_made} chunks of at most 256 tokens; will build d384-flat (Flat)" in made.stderr
    assert f"  chunks    {rows_made} of at most 256 tokens, neighbours share 20\n" in made.stdout
    assert "lost" not in made.stdout
    lines = call("query", tmp_path / "made", "kettle for tea", "--json").stdout.splitlines()
    assert [json.loads(line)["doc_id"] for line in lines] == ["k", "b"]


def test_skipped_rows_are_told(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"id": "a", "text": "one"}\n{"id": "b"\n{"id": "c", "text": "three"}\n', encoding="utf-8")
    refused = call("index", path, "--out", tmp_path / "x", code=1)
    assert re.search(r"some\.jsonl:2: .+--on-bad-row skip", refused.stderr)
    done = call("index", path, "--out", tmp_path / "x", "--on-bad-row", "skip")
    assert re.search(r"skipped .*some\.jsonl:2: ", done.stderr)
    assert "1 bad rows were skipped" in done.stdout


def test_a_folder_that_cannot_be_written_is_a_sentence(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    csv = shop.parent / "shop.csv"
    done = call("index", csv, "--id", "sku", "--out", tmp_path / "file" / "index", code=1)
    assert "can't be written to" in done.stderr.splitlines()[-1]


def test_what_a_terminal_would_obey_is_shown_as_text(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    rows = [
        {"id": "[/b]", "t[red]": "one"},
        {"id": "[red]k[/red]", "t[red]": "two"},
        {"id": "a\x1b[31m\nb", "t[red]": "3"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    call("index", path, "--out", tmp_path / "odd", "--text", "{t[red]}")
    shown = call("query", tmp_path / "odd", "one").stdout
    assert "[/b]" in shown
    assert "[red]k[/red]" in shown
    assert "t[red]" in shown
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 4


def test_queries_may_come_through_a_pipe(shop: Path) -> None:
    done = call("query", shop, "--queries", "-", "--json", "-k", "1", typed='{"id": "q", "text": "steel kettle"}\n')
    assert json.loads(done.stdout)["doc_id"] == "k1"


def test_a_model_named_by_a_relative_path_is_found_from_anywhere(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_fifty(tmp_path / "models" / "tiny")
    (tmp_path / "shop.csv").write_bytes((shop.parent / "shop.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    call("index", "shop.csv", "--id", "sku", "--model", "models/tiny", "--out", "made", "--no-encoder")
    monkeypatch.chdir("/")
    assert call("query", tmp_path / "made", "bag", "-k", "1", "--json").stdout
    (tmp_path / "models" / "tiny").rename(tmp_path / "elsewhere")
    said = call("query", tmp_path / "made", "bag", code=1).stderr
    assert "if the index's model lies elsewhere now, type --model with its folder" in said
    assert call("query", tmp_path / "made", "bag", "--model", tmp_path / "elsewhere", "-k", "1", "--json").stdout


def test_being_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": "d{n}", "text": "text number {n} of many, some words more"}}\n' for n in range(30_000))
    (tmp_path / "many.jsonl").write_text(rows, encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        "from searchapp.cli.main import main; main()",
        "index",
        "many.jsonl",
        "--out",
        "made",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("will build"):
                break
        while not list(tmp_path.glob(".made.*")):
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        said = running.stderr.read()
        assert running.wait(60) == 130
    assert said.splitlines()[-1].endswith("what was finished is kept, so type the same call again to go on")
    assert {item.name for item in tmp_path.iterdir()} <= {"many.jsonl", ".made.partial"}
