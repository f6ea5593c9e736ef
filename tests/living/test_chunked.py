"""Documents of several rows: added, replaced, deleted and compacted whole."""

import json
from collections.abc import Iterable
from pathlib import Path

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Corpus, open_corpus
from searchapp.index import Index
from searchapp.living import add_documents, compact_index, delete_documents, rows_of, upsert_documents
from searchapp.search import Searcher
from tests.fakes import CuttingEncoder
from tests.living.shops import check_whole, held, without_versions
from tests.test_truncation import FILLER, LIMIT, PROMPTS, word

CHUNKED = BuildOptions(kinds=("flat", "sq8"), on_truncate="chunk", query_encoder=False)


def write_long(path: Path, numbers: Iterable[int], *, longer: int = 0) -> Corpus:
    rows = [{"_id": f"d{n:02d}", "text": f"{FILLER * (n % 4 + longer)} {word(n)}", "name": f"N{n}"} for n in numbers]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return open_corpus(path)


def find(index: Index, asked: str) -> list[tuple[str, float, object]]:
    hits = Searcher(index, CuttingEncoder(LIMIT, PROMPTS)).search([asked], 100)[0]
    return [(hit.doc_id, hit.score, hit.fields["name"]) for hit in hits]


def test_chunks_come_and_go_with_their_documents(tmp_path: Path) -> None:
    encoder = CuttingEncoder(LIMIT, PROMPTS)
    index = build_index(write_long(tmp_path / "1", range(20)), tmp_path / "shop", encoder=encoder, options=CHUNKED)
    rows = index.manifest.rows
    index = add_documents(write_long(tmp_path / "2", range(20, 30)), index, encoder=encoder).index
    assert index.manifest.rows > rows + 10
    change = upsert_documents(write_long(tmp_path / "3", (4, 9), longer=2), index, encoder=encoder)
    assert (change.replaced, change.added, len(change.index)) == (2, 0, 30)
    same = upsert_documents(write_long(tmp_path / "3", (4, 9), longer=2), change.index, encoder=encoder)
    assert same.unchanged == 2
    living = delete_documents(change.index, rows_of(["d07", "d23"]), call="").index
    check_whole(tmp_path / "shop")
    assert living.manifest.counts["deleted"] == 4
    assert living.manifest.counts["truncated"] == 0

    left = [n for n in range(30) if n not in (4, 9, 7, 23)]
    corpus = write_long(tmp_path / "4", left)
    fresh = build_index(corpus, tmp_path / "fresh", encoder=encoder, options=CHUNKED)
    fresh = add_documents(write_long(tmp_path / "3", (4, 9), longer=2), fresh, encoder=encoder).index
    fresh = compact_index(fresh).index
    compacted = compact_index(living).index
    check_whole(tmp_path / "shop")
    assert without_versions(compacted) == without_versions(fresh)
    for asked in (word(4), word(11), word(23), FILLER):
        found = find(living, asked)
        assert found == find(compacted, asked) == find(fresh, asked)
        assert sorted(doc_id for doc_id, _, _ in found) == sorted(held(living))
    assert find(living, word(4))[0][::2] == ("d04", "N4")
