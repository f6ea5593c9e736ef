"""Conditions over stored fields: what they choose, and how they are refused."""

import pytest

from searchapp.build import BuildOptions
from searchapp.errors import UsageError
from searchapp.index import Index
from searchapp.living import rows_where
from tests.living.shops import build

PRODUCTS: list[dict[str, object]] = [
    {"_id": "a", "text": "one", "brand": "Acme", "price": 5, "new": True, "size": "L"},
    {"_id": "b", "text": "two", "brand": "O\"Neil's", "price": 10.5, "new": False, "size": 38},
    {"_id": "c", "text": "three", "price": 20, "size": 40.5},
    {"_id": "d", "text": "four", "brand": "acme", "new": True, "size": True},
    {"_id": "e", "text": "five", "brand": "Bolt", "price": -3, "weird name!": "x"},
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("where") / "shop"
    # Shards of two: a field may be of one type in one file, of another in the next, and missing in a third.
    return build(folder, PRODUCTS, BuildOptions(query_encoder=False, shard_documents=2))


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        ('brand = "Acme"', "a"),
        ("brand != 'Acme'", "bde"),
        ("brand <> 'Acme'", "bde"),
        ("not brand = 'Acme'", "bde"),
        ("brand is null", "c"),
        ("NOT brand IS NULL", "abde"),
        ("brand is not null", "abde"),
        (r'brand = "O\"Neil\'s"', "b"),
        ("price < 10", "ae"),
        ("price <= 10.5", "abe"),
        ("price > 1e1", "bc"),
        ("price >= 20", "c"),
        ("price = -3", "e"),
        ("not price > 10", "ae"),
        ("price is null", "d"),
        ("new = true", "ad"),
        ("new != true", "b"),
        ("brand in ('Acme', 'acme', \"nobody\")", "ad"),
        ("price not in (5, 20)", "be"),
        ("brand = 'Acme' or brand = 'Bolt' and price > 0", "a"),
        ("(brand = 'Acme' or brand = 'Bolt') and price < 0", "e"),
        ("price < 10 or new = true", "ade"),
        ("not (price < 10 and new = true)", "bc"),
        ("size = 'L'", "a"),
        ("size > 38", "c"),
        ("size = true", "d"),
        ("not size = 'L'", ""),
        ("size is null", "e"),
        ("doc_id in ('a', 'e')", "ae"),
        ("doc_id > 'c'", "de"),
        ("`weird name!` = 'x'", "e"),
        ("brand = 'Acme' and brand = 'Bolt'", ""),
    ],
)
def test_a_condition_chooses(index: Index, condition: str, chosen: str) -> None:
    assert "".join(index.documents.ids(rows_where(condition)(index))) == chosen


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("", "found nothing more where the name of a field was expected"),
        ("brand", "found nothing more where =, !=, <, <=, >, >=, in or is was expected"),
        ("brand = ", "found nothing more where a value"),
        ("brand = Acme", r"found 'Acme' at character 9 where a value \(\"text\", a number, true or false\)"),
        ("brand = 'Acme", r"\"'\" at character 9 is no part of it"),
        ("brand = 'a' brand = 'b'", "found 'brand' at character 13 where and, or, or the end was expected"),
        ("(brand = 'a'", "found nothing more where a closing parenthesis"),
        ("brand in ()", r"found '\)' at character 11 where a value"),
        ("brand in ('a' 'b')", "where a comma or a closing parenthesis was expected"),
        ("brand in 'a'", "where an opening parenthesis was expected"),
        ("brand is 'a'", "where null was expected"),
        ("brand like 'a'", "found 'like' at character 7"),
        ("__import__('os').system('x')", r"'\.' at character 17 is no part of it"),
        ("new < true", "new < true compares truth values; type = or !="),
        ("brnd = 'a'", "names brnd, which no document has; name one of: doc_id, brand, new, price, size, text, weird"),
        ("brnd is null", "names brnd, which no document has"),
        ("brand = 3", "compares brand with a number, and no document has that there"),
        ("price = '3'", "compares price with text, and no document has that there"),
    ],
)
def test_a_condition_is_refused(index: Index, condition: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rows_where(condition)(index)
