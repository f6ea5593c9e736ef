"""Data sets of the ir_datasets library, registered by the tests from files of their own."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from searchapp.corpus import ReadOptions, open_dataset
from searchapp.errors import InputError, RowError, UsageError
from searchapp.records import Document, Query

NUMBERS = itertools.count()

Register = Callable[..., str]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The library, which makes a folder of its own when it is imported: here, not at the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_DATASETS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("IR_DATASETS_TMP", str(tmp_path_factory.mktemp("tmp")))
        yield pytest.importorskip("ir_datasets")


@pytest.fixture
def register(library: ModuleType) -> Register:
    """Register a data set of parts under a new name."""

    def _register(*parts: object, suffix: str = "test") -> str:
        name = f"searchapp-{next(NUMBERS)}/{suffix}"
        library.registry.register(name, library.Dataset(*parts))
        return f"irds:{name}"

    return _register


DOCS = "d1\t赤い革のハンドバッグ\nd2\t한국의 전통 음식\nd3\tWatoto wanacheza mpira\n"
QUERIES = "1\t赤い鞄\n2\tmpira\n3\tmesa\n"
QRELS = "1 0 d1 2\n1 0 d2 -1\n2 0 d3 1\n"


def tsv_parts(library: ModuleType, write: Any, *, qrels: str = QRELS, queries: str = QUERIES) -> list[object]:
    local = library.util.LocalDownload
    return [
        library.formats.TsvDocs(local(write("docs.tsv", DOCS))),
        library.formats.TsvQueries(local(write("queries.tsv", queries))),
        library.formats.TrecQrels(local(write("qrels", qrels)), {2: "good", 1: "fair", 0: "bad", -1: "worse"}),
    ]


class Page(NamedTuple):
    doc_id: str
    title: str
    text: str
    links: tuple[str, ...]
    stars: int

    def default_text(self) -> str:
        return f"{self.title} {self.text}"


class Bare(NamedTuple):
    doc_id: str
    title: str
    body: str


class Nameless(NamedTuple):
    doc_id: str
    blob: bytes


class Topic(NamedTuple):
    query_id: str
    title: str
    narrative: str

    def default_text(self) -> str:
        return self.title


class Made:
    """Documents, queries and judgments from memory; counts what has been taken of the documents."""

    def __init__(self, library: ModuleType, docs: list[Any], **others: list[Any]) -> None:
        self.taken = 0
        made, formats = self, library.formats
        queries = others.get("queries", [Topic("1", "赤い鞄", "long story")])
        qrels = others.get("qrels", [formats.TrecQrel("1", docs[0].doc_id, 1, "0")])

        class Docs(formats.BaseDocs):
            def docs_iter(self) -> Iterator[Any]:
                for doc in docs:
                    made.taken += 1
                    yield doc

            def docs_cls(self) -> type:
                return type(docs[0])

        class Queries(formats.BaseQueries):
            def queries_iter(self) -> Iterator[Any]:
                return iter(queries)

            def queries_cls(self) -> type:
                return type(queries[0])

        class Qrels(formats.BaseQrels):
            def qrels_iter(self) -> Iterator[Any]:
                return iter(qrels)

        self.parts = (Docs(), Queries(), Qrels())


def test_documents_queries_and_graded_judgments(library, register, write) -> None:
    path = register(*tsv_parts(library, write), suffix="dev/small")
    dataset = open_dataset(path)
    assert (dataset.name, dataset.split, dataset.format) == (
        path.removeprefix("irds:").removesuffix("/small"),
        "small",
        "irds",
    )
    assert dataset.qrels == {"1": {"d1": 2, "d2": -1}, "2": {"d3": 1}}
    assert dataset.queries == (Query("1", "赤い鞄"), Query("2", "mpira"))
    expected = [
        Document("d1", "赤い革のハンドバッグ", {"default_text": "赤い革のハンドバッグ"}, f"{path}:1"),
        Document("d2", "한국의 전통 음식", {"default_text": "한국의 전통 음식"}, f"{path}:2"),
        Document("d3", "Watoto wanacheza mpira", {"default_text": "Watoto wanacheza mpira"}, f"{path}:3"),
    ]
    assert list(dataset.corpus.documents()) == expected == list(dataset.corpus.documents())
    assert dataset.corpus.survey().count == 3
    assert dataset.corpus.text_template == "{default_text}"


def test_a_documents_own_text_is_taken_and_its_plain_fields_are_kept(library, register) -> None:
    made = Made(library, [Page("a", "鞄", "赤い", ("x",), 4)], queries=[Topic("1", " 赤い鞄 ", "n" * 600)])
    path = register(*made.parts)
    dataset = open_dataset(path)
    assert list(dataset.corpus.documents()) == [
        Document("a", "鞄 赤い", {"title": "鞄", "stars": 4, "default_text": "鞄 赤い"}, f"{path}:1")
    ]
    assert dataset.queries == (Query("1", "赤い鞄"),)  # its title is its text, its narrative too long to keep


def test_without_a_text_of_its_own_title_and_body_are_joined(library, register) -> None:
    path = register(*Made(library, [Bare("a", "鞄", "赤い"), Bare("b", "", "mesa")]).parts)
    corpus = open_dataset(path).corpus
    assert corpus.text_template == "{title} {body}"
    assert [document.text for document in corpus.documents()] == ["鞄 赤い", "mesa"]


def test_a_template_and_stored_columns_may_be_chosen(library, register) -> None:
    path = register(*Made(library, [Page("a", "鞄", "赤い", (), 4)]).parts)
    options = ReadOptions(text="{text} ({stars})", store=("title",))
    assert list(open_dataset(path, options=options).corpus.documents()) == [
        Document("a", "赤い (4)", {"title": "鞄"}, f"{path}:1")
    ]


def test_documents_are_a_stream(library, register) -> None:
    made = Made(library, [Bare(str(number), "t", "x" * 100) for number in range(50_000)])
    documents = open_dataset(register(*made.parts)).corpus.documents()
    assert made.taken == 0
    assert next(documents).doc_id == "0"
    assert made.taken < 10_000  # a window


def test_bad_documents_and_judgments_are_errors_or_skipped(library, register) -> None:
    qrel = library.formats.TrecQrel
    made = Made(
        library,
        [Bare("a", "鞄", ""), Bare("b", "", " "), Bare("a", "again", "")],
        queries=[Topic("1", "赤い鞄", ""), Topic("2", "", ""), Topic("1", "again", "")],
        qrels=[qrel("1", "a", 1, "0"), qrel("1", "a", 2, "0"), qrel("1", "b", 0.5, "0")],
    )
    path = register(*made.parts)
    with pytest.raises(RowError) as caught:
        open_dataset(path)
    assert str(caught.value).startswith(f"{path}:2: query '1' and document 'a' get grade 2 here and 1 in {path}:1")
    dataset = open_dataset(path, options=ReadOptions(on_bad_row="skip"))
    assert [document.doc_id for document in dataset.corpus.documents()] == ["a"]
    assert [reason.split(";")[0] for _, reason in dataset.corpus.skipped.rows] == [
        "the text '{title} {body}' is empty",
        f"the id 'a' is in {path}:1 already",
    ]
    assert [(where.rpartition(":")[2], reason.split(";")[0]) for where, reason in dataset.skipped.rows] == [
        ("2", f"query '1' and document 'a' get grade 2 here and 1 in {path}:1"),
        ("3", "the grade is 0.5, expected a whole number such as 0 or 1"),
        ("2", "the text '{default_text}' is empty"),
        ("3", "the query id '1' is there already"),
    ]


def test_judgments_of_queries_that_are_not_there_are_an_error(library, register, write) -> None:
    path = register(*tsv_parts(library, write, qrels=QRELS + "9 0 d1 1\n"))
    with pytest.raises(InputError, match=f"{path} lacks 1 of 3 judged queries, the first 9"):
        open_dataset(path)


def test_a_part_that_is_missing_names_the_parts_that_have_it(library, register, write) -> None:
    parts = tsv_parts(library, write)
    whole = register(*parts, suffix="x/test")
    name = whole.removesuffix("/test")
    library.registry.register(name.removeprefix("irds:"), library.Dataset(parts[0]))
    with pytest.raises(InputError) as caught:
        open_dataset(name)
    assert str(caught.value).startswith(
        f"{name} has no queries and no qrels, and judging takes docs, queries and qrels"
    )
    assert str(caught.value).endswith(f"name one of its parts: {whole}")


def test_an_unknown_name_is_told_the_nearest(library, register, write) -> None:
    path = register(*tsv_parts(library, write))
    with pytest.raises(InputError) as caught:
        open_dataset(path + "s")
    name = path.removeprefix("irds:")
    assert str(caught.value).startswith(f"ir_datasets has no data set '{name}s'; perhaps {path}")
    with pytest.raises(InputError, match=r"no data set ''; https://ir-datasets\.com lists them"):
        open_dataset("irds:")


def test_documents_without_any_text_are_an_error_that_says_what_to_type(library, register) -> None:
    path = register(*Made(library, [Nameless("a", b"x")]).parts)
    with pytest.raises(InputError) as caught:
        open_dataset(path)
    expected = "doesn't say what the text of its docs is, with the columns doc_id, blob; name another data set, or type"
    assert expected in str(caught.value)


@pytest.mark.parametrize("part", ["docs", "queries", "qrels"])
def test_data_that_would_have_to_be_downloaded_is_one_line(library, register, write, tmp_path, part: str) -> None:
    parts = tsv_parts(library, write)
    missing = library.util.LocalDownload(tmp_path / "no" / "file")
    remote = library.util.Download([library.util.RequestsDownload("http://127.0.0.1:9/x", tries=1)])
    kinds = {
        "docs": (0, library.formats.TsvDocs(missing)),
        "queries": (1, library.formats.TsvQueries(missing)),
        "qrels": (2, library.formats.TrecQrels(remote, {})),
    }
    place, broken = kinds[part]
    parts[place] = broken
    path = register(*parts)
    with pytest.raises(InputError) as caught:
        list(open_dataset(path).corpus.documents())
    text = str(caught.value)
    assert text.startswith(f"{path}: ir_datasets can't read its {part} (")
    assert ("ConnectionError" if part == "qrels" else f"FileNotFoundError: {tmp_path}/no/file") in text
    assert "this needs the network" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("options", "gist"),
    [
        (ReadOptions(split="dev"), "--split dev doesn't go with irds:.*: the split is part of the name"),
        (ReadOptions(format="beir"), "--format beir doesn't go with irds:"),
        (ReadOptions(id_column="x"), "--id x doesn't go with irds:.*, whose ids are doc_id"),
        (ReadOptions(locale="us"), "--locale and --version go with ESCI folders, and irds:"),
        (ReadOptions(text="{no}"), "has no column 'no' among the columns doc_id, text, default_text; .*--text"),
        (ReadOptions(store=("no",)), "has no column 'no' among the columns doc_id, text, default_text; .*--store"),
    ],
)
def test_options_that_do_not_go_with_it(library, register, write, options: ReadOptions, gist: str) -> None:
    path = register(*tsv_parts(library, write))
    with pytest.raises((UsageError, InputError), match=gist):
        open_dataset(path, options=options)


def test_the_library_is_imported_only_when_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from searchapp.corpus import open_dataset, recognise_task\n"
        "assert recognise_task('irds:vaswani') == 'retrieval' and 'ir_datasets' not in sys.modules\n"
        "sys.modules['ir_datasets'] = None\n"
        "try:\n    open_dataset('irds:vaswani')\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    env = {**os.environ, "IR_DATASETS_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.startswith(
        "MissingExtraError ir_datasets is not installed, and this needs it; type: pip install"
    )
    assert "'searchapp[datasets]'" in done.stdout
