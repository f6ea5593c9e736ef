"""Changes in random order against a dict: documents, their order, counts, hits, and every reader's own version."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from searchapp.build import BuildOptions
from searchapp.errors import InputError
from searchapp.index import Index, Setting, open_index
from searchapp.index.vectors import cosine_scores
from searchapp.living import add_documents, compact_index, delete_documents, rows_of, upsert_documents
from tests.fakes import DIM, HashEncoder
from tests.living.shops import build, check_whole, expected, held, hits, product, write_rows

NUMBERS = st.lists(st.integers(0, 24), min_size=1, max_size=8, unique=True)
ASKED = "steel kettle 7"


class Shop(RuleBasedStateMachine):
    """A living index beside the products it should hold, in row order."""

    @initialize(numbers=NUMBERS)
    def build(self, numbers: list[int]) -> None:
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name) / "shop"
        self.rows = {number: product(number) for number in numbers}
        options = BuildOptions(dims=(DIM, 16), kinds=("flat", "sq8"), query_encoder=False)
        build(self.folder, list(self.rows.values()), options)
        self.readers: list[tuple[Index, dict[str, dict[str, object]]]] = []

    @rule(numbers=NUMBERS)
    def add(self, numbers: list[int]) -> None:
        rows = [product(number) for number in numbers]
        there = [number for number in numbers if number in self.rows]
        corpus = write_rows(Path(self.place.name) / "more", rows)
        if there and any(self.rows.get(number) != product(number) for number in numbers):
            try:
                add_documents(corpus, open_index(self.folder), encoder=HashEncoder())
            except InputError as error:
                assert f"has {len(there)} of these ids already" in str(error)
                return
            raise AssertionError("ids that are there were added")
        add_documents(corpus, open_index(self.folder), encoder=HashEncoder())
        self.rows |= {number: product(number) for number in numbers if number not in there}

    @rule(numbers=NUMBERS, edition=st.integers(0, 2))
    def upsert(self, numbers: list[int], edition: int) -> None:
        rows = {number: product(number, edition=edition) for number in numbers}
        corpus = write_rows(Path(self.place.name) / "more", list(rows.values()))
        change = upsert_documents(corpus, open_index(self.folder), encoder=HashEncoder())
        fresh = {number: row for number, row in rows.items() if self.rows.get(number) != row}
        assert change.added == len(fresh.keys() - self.rows.keys())
        assert change.replaced == len(fresh.keys() & self.rows.keys())
        self.rows = {number: row for number, row in self.rows.items() if number not in fresh} | fresh

    @rule(numbers=NUMBERS)
    def delete(self, numbers: list[int]) -> None:
        doomed = [f"p{number:04d}" for number in numbers]
        index = open_index(self.folder)
        change = delete_documents(index, rows_of(doomed, missing_ok=True), call=str(doomed), all_of_them=True)
        assert change.deleted == len(self.rows.keys() & set(numbers))
        self.rows = {number: row for number, row in self.rows.items() if number not in numbers}

    @precondition(lambda self: self.rows)
    @rule()
    def compact(self) -> None:
        index = compact_index(open_index(self.folder)).index
        assert index.manifest.rows == len(self.rows)

    @rule()
    def read(self) -> None:
        self.readers.append((open_index(self.folder), expected(list(self.rows.values()))))

    @invariant()
    def holds_what_it_should(self) -> None:
        index = check_whole(self.folder)
        self._check(index, expected(list(self.rows.values())))
        assert list(held(index)) == [row["_id"] for row in self.rows.values()]
        for reader, documents in self.readers:
            self._check(reader, documents)

    def _check(self, index: Index, documents: dict[str, dict[str, object]]) -> None:
        assert held(index) == documents
        encoder = HashEncoder()
        texts = [str(fields["text"]) for fields in documents.values()]
        vectors = encoder.encode_documents(texts)
        scores = cosine_scores(encoder.encode_queries([ASKED]), vectors[None], DIM)[0] if texts else []
        slow = sorted(zip(documents, map(float, scores), strict=True), key=lambda hit: (-hit[1], hit[0]))
        for setting in (Setting(DIM, "flat"), Setting(16, "sq8", rescore=100)):
            assert hits(index, [ASKED], 5, setting) == [slow[:5]]

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.cleanup()


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=6, stateful_step_count=8, deadline=None, derandomize=True)
