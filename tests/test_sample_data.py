"""The sample catalogue: made again to the byte, whole, and labelled as its rendered text says.

The label checks read only what a user sees (queries, titles, bullet points, brand and colour columns) through the word
lists below; they know nothing of the attributes from which the generator decides.
"""

import csv
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
SOURCES = "shopping_queries_dataset_sources.csv"
GENERATOR = Path(__file__).resolve().parent.parent / "data" / "generate_sample.py"

COLORS = {
    "us": {"black": "Black", "green": "Green", "pink": "Pink", "yellow": "Yellow", "white": "White", "grey": "Gray",
           "red": "Red", "blue": "Blue", "beige": "Beige"},
    "es": {"negras": "Negro", "verdes": "Verde", "blanca": "Blanco", "marrón": "Marrón"},
    "jp": {"黒": "ブラック", "緑": "グリーン", "白": "ホワイト", "茶色": "ブラウン"},
}  # fmt: skip
# A word of the query -> what the text of a product that fits must show.
MATERIALS = {
    "us": {"faux leather": "(Faux|Vegan) Leather", "leather": "(?<!Faux )(?<!Vegan )Leather", "velvet": "Velvet",
           "glass": "Glass", "iron": "Cast Iron", "linen": "Linen", "silk": "Silk", "wooden": "Wood"},
    "es": {"piel": "(?i:\\bpiel\\b(?! sint)|cuero(?! sint))",
           "terciopelo": "terciopelo", "hierro": "hierro fundido", "lino": "\\blino\\b"},
    "jp": {"レザー": "本革|牛革", "ベルベット": "ベルベット", "鋳鉄": "鋳鉄", "麻": "リネン|麻"},
}  # fmt: skip
SIZES = {
    "us": {"64 oz": "64 oz", "size 9": "Size 9", "size 11": "Size 11", "12 inch": "12 Inch", "queen size": "Queen Size",
           "15.6 inch": "15.6 Inch", "84 inch": "84 Inch", "12 cup": "12 Cup", "size xl": "Size XL"},
    "es": {"talla 42": "talla 42", "1 litro": "1 litro", "cama 150": "cama de 150", "28 cm": "28 cm",
           "talla m": "talla M"},
    "jp": {"26.5cm": "26.5cm", "1L": "1L", "ダブル": "ダブル", "28cm": "28cm", "Mサイズ": "Mサイズ"},
}  # fmt: skip
BRANDS = {
    "quorvane": "Quorvane", "zelmorra": "Zelmorra", "hollenfry": "Hollenfry", "oxtaville": "Oxtaville",
    "vexoryn": "Vexoryn", "ipsadyne": "Ipsadyne", "mirkendal": "Mirkendal", "saltermere": "Saltermere",
    "ossavelle": "Ossavelle", "brothwyn": "Brothwyn", "qalitron": "Qalitron", "オサベル": "Ossavelle",
    "ブロスウィン": "Brothwyn", "ゼルモラ": "Zelmorra",
}  # fmt: skip
# What the query says it does not want -> what the text of a product that fits must not show.
NEGATED = {
    "us": {"zipper": "zip", "laces": "lace", "wifi": "wi-?fi", "grinder": "grinder", "microphone": "micro",
           "touchscreen": "touch", "armrests": "armrest", "straw": "straw",
           "date": "\\bdate", "nonstick": "non-?stick"},
    "es": {"cremallera": "cremallera", "cordones": "cordon", "wifi": "wi-?fi", "micrófono": "micr[oó]f",
           "reposabrazos": "reposabrazos", "molinillo": "molinillo"},
    "jp": {"ファスナー": "ファスナー", "靴紐": "靴紐", "Wi-Fi": "wi-?fi", "マイク": "マイク", "肘掛け": "肘掛け"},
}  # fmt: skip
# A word of the query -> the accessory in the titles that fit, and the thing it is for in those that go with it.
ACCESSORIES = {
    "us": {"camera strap": ("Strap", "Camera"), "ear pads": ("Ear ?pads|Ear (Pads|Cushions)", "Headphones"),
           "couch cover": ("Slipcover|Cover", "Couch|Sofa"), "lid": ("Lid", "Pan"),
           "watch band": ("Band|Strap", "Watch"), "curtain rod": ("Rod(?! Pocket)|Pole", "Curtain"),
           "inserts": ("Insoles|Inserts", "Shoes"),
           "strap for handbag": ("(Purse|Bag|Crossbody) Strap", "Bag|Handbag")},
    "es": {"cámara": ("Correa", "Cámara"), "sofá": ("Funda|Cubresofá", "Sofá"),
           "tapa": ("Tapa", "Sartén"), "reloj": ("Correa", "Reloj")},
    "jp": {"カメラストラップ": ("ストラップ", "カメラ"), "ソファカバー": ("カバー", "ソファ"),
           "蓋": ("蓋", "フライパン"), "腕時計 ベルト": ("ベルト|バンド", "腕時計")},
}  # fmt: skip
# What the query says it must fit -> what the text says; the phone itself may have its maker in kana.
FITTING = {
    "vexoryn x5": "(Vexoryn|ベクソリン) X5", "vexoryn x6": "(Vexoryn|ベクソリン) X6",
    "qalitron q9": "(Qalitron|カリトロン) Q9",
    "qalitron q7": "(Qalitron|カリトロン) Q7", "カリトロン q7": "(Qalitron|カリトロン) Q7",
    "nublenko a20": "Nublenko A20",
    "jaxolume h4": "Jaxolume H4", "13.3 inch": r"13\.3 Inch", "10 inch": r"(?<!\d)10 Inch",
    "15.6 pulgadas": "15,6 pulgadas", "15.6インチ": r"15\.6インチ",
}  # fmt: skip
EMPTY_SLOT = re.compile(r"  | ,|\(\s*\)|\( | \)|\[\s*\]|【\s*】|,\s*[|)]|[|-] [|,-]|^\W*$|None|[{}]")


@dataclass(frozen=True)
class Product:
    """A row of the products file, and everything it says in words."""

    locale: str
    title: str
    brand: str | None
    color: str | None
    text: str


@dataclass(frozen=True)
class Judged:
    """A query with its judged products by label."""

    query_id: int
    query: str
    locale: str
    source: str
    products: dict[str, list[Product]]


@dataclass(frozen=True)
class Sample:
    """All three files, read plainly."""

    products: list[dict[str, Any]]
    examples: list[dict[str, Any]]
    sources: dict[int, str]
    queries: list[Judged]

    def of(self, source: str) -> list[Judged]:
        found = [judged for judged in self.queries if judged.source == source]
        assert len(found) >= 8, source
        return found


@pytest.fixture(scope="module")
def sample(sample_data: Path) -> Sample:
    products = pq.read_table(sample_data / PRODUCTS).to_pylist()
    examples = pq.read_table(sample_data / EXAMPLES).to_pylist()
    with (sample_data / SOURCES).open(encoding="utf-8", newline="") as file:
        sources = {int(row["query_id"]): row["source"] for row in csv.DictReader(file)}
    told = {}
    for row in products:
        parts = (row["product_title"], row["product_bullet_point"], row["product_description"])
        told[row["product_locale"], row["product_id"]] = Product(
            row["product_locale"], row["product_title"], row["product_brand"], row["product_color"],
            "\n".join(part for part in parts if part),
        )  # fmt: skip
    asked: dict[tuple[int, str, str], dict[str, list[Product]]] = defaultdict(lambda: defaultdict(list))
    for row in examples:
        key = row["query_id"], row["query"], row["product_locale"]
        if (row["product_locale"], row["product_id"]) in told:  # a test of its own says that all are
            asked[key][row["esci_label"]].append(told[row["product_locale"], row["product_id"]])
    queries = [Judged(*key, sources[key[0]], dict(judged)) for key, judged in asked.items()]
    return Sample(products, examples, sources, queries)


def key_in(query: str, words: Iterable[str]) -> str:
    """Find the one word of a list that a query says; of those within one another, the longest."""
    found = sorted((word for word in words if re.search(rf"(?<![a-z0-9.]){word}", query)), key=len, reverse=True)
    assert found, query
    assert all(word in found[0] for word in found), (query, found)
    return found[0]


def says(product: Product, wanted: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(wanted)}(?![\w])", product.text, re.ASCII) is not None


@pytest.fixture(scope="module")
def made_again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("sample") / "new" / "folder"
    done = subprocess.run(
        [sys.executable, str(GENERATOR), "--out", str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    return folder, done.stdout


def test_the_generator_makes_the_committed_rows(sample_data: Path, made_again: tuple[Path, str]) -> None:
    folder, printed = made_again
    assert sorted(path.name for path in folder.iterdir()) == sorted([PRODUCTS, EXAMPLES, SOURCES])
    assert (folder / SOURCES).read_bytes() == (sample_data / SOURCES).read_bytes()
    for name in (PRODUCTS, EXAMPLES):
        assert pq.read_table(folder / name).equals(pq.read_table(sample_data / name)), (
            f"{name} is not what the generator writes; type: make sample"
        )
    written = [
        pq.read_metadata(folder / PRODUCTS).num_rows,
        pq.read_metadata(folder / EXAMPLES).num_rows,
        len((folder / SOURCES).read_text(encoding="utf-8").splitlines()) - 1,
    ]
    assert re.findall(r": ([\d,]+) rows", printed) == [f"{count:,}" for count in written]


@pytest.mark.parametrize("name", [PRODUCTS, EXAMPLES])
def test_the_generator_makes_the_committed_bytes(name: str, sample_data: Path, made_again: tuple[Path, str]) -> None:
    committed, again = sample_data / name, made_again[0] / name
    writers = pq.read_metadata(committed).created_by, pq.read_metadata(again).created_by
    if writers[0] != writers[1]:
        pytest.skip(f"committed by {writers[0]}, written here by {writers[1]}")
    assert again.read_bytes() == committed.read_bytes()


def test_the_seed_decides_the_products_and_not_the_queries(sample_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(GENERATOR), "--out", str(tmp_path), "--seed", "8"]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert not pq.read_table(tmp_path / PRODUCTS).equals(pq.read_table(sample_data / PRODUCTS))
    queries = [set(pq.read_table(folder / EXAMPLES)["query"].to_pylist()) for folder in (tmp_path, sample_data)]
    assert queries[0] == queries[1]


def test_columns_and_types_are_those_of_the_real_files(sample_data: Path, real_data: Path) -> None:
    for name in (PRODUCTS, EXAMPLES):
        real = pq.read_schema(real_data / "esci_us" / name).remove_metadata()
        assert pq.read_schema(sample_data / name).remove_metadata().equals(real)


def test_counts_and_sizes(sample: Sample, sample_data: Path) -> None:
    assert Counter(row["product_locale"] for row in sample.products) == {"us": 1000, "es": 500, "jp": 500}
    assert Counter(judged.locale for judged in sample.queries) == {"us": 75, "es": 38, "jp": 37}
    labels = Counter((row["product_locale"], row["esci_label"]) for row in sample.examples)
    assert set(labels) == {(locale, label) for locale in ("us", "es", "jp") for label in "ESCI"}
    assert min(labels.values()) >= 100
    first = {row["query_id"]: row for row in sample.examples}.values()
    assert Counter(row["split"] for row in first) == {"test": 100, "train": 50}
    easy = {"plain", "colors", "brands"}
    assert all(row["small_version"] == (sample.sources[row["query_id"]] not in easy) for row in sample.examples)
    assert {row["large_version"] for row in sample.examples} == {1}
    assert min(Counter(sample.sources.values()).values()) >= 8
    assert sum(path.stat().st_size for path in sample_data.iterdir()) < 400_000


def test_a_query_is_of_one_split_text_and_locale(sample: Sample) -> None:
    assert len(sample.queries) == len(sample.sources) == len({row["query_id"] for row in sample.examples}) == 150
    columns = ("query_id", "query", "product_locale", "split", "small_version")
    assert len({tuple(row[column] for column in columns) for row in sample.examples}) == 150
    assert [row["example_id"] for row in sample.examples] == list(range(len(sample.examples)))


def test_judged_products_exist_and_are_judged_once(sample: Sample) -> None:
    known = [(row["product_locale"], row["product_id"]) for row in sample.products]
    assert len(set(known)) == len(known)
    assert len({product_id for _, product_id in known}) < len(known)  # an id alone does not name a product
    assert all(re.fullmatch(r"B0[A-Z0-9]{8}", str(product_id)) for _, product_id in known)
    assert {(row["product_locale"], row["product_id"]) for row in sample.examples} <= set(known)
    pairs = Counter((row["query_id"], row["product_id"]) for row in sample.examples)
    assert set(pairs.values()) == {1}


def test_every_query_has_every_label_it_can_have(sample: Sample) -> None:
    for judged in sample.queries:
        count = sum(map(len, judged.products.values()))
        assert 12 <= count <= 30, judged.query
        lacking = set("ESCI") - set(judged.products)
        assert not lacking or (judged.source == "plain" and lacking == {"S"}), judged.query  # a bare name is not missed


def test_titles_are_whole_and_unique(sample: Sample) -> None:
    titles = Counter((row["product_locale"], row["product_title"]) for row in sample.products)
    assert set(titles.values()) == {1}
    assert [title for _, title in titles if EMPTY_SLOT.search(str(title))] == []
    for column in ("product_brand", "product_color", "product_bullet_point", "product_description"):
        values = [row[column] for row in sample.products]
        assert values.count(None) > 50
        assert "" not in values


def test_color_queries_fit_by_the_color_column(sample: Sample) -> None:
    for judged in sample.of("colors"):
        color = COLORS[judged.locale][key_in(judged.query, COLORS[judged.locale])]
        assert {product.color for product in judged.products["E"]} == {color}, judged.query
        assert any(product.color != color for product in judged.products["S"]), judged.query


def test_material_queries_fit_by_words(sample: Sample) -> None:
    for judged in sample.of("materials"):
        pattern = re.compile(MATERIALS[judged.locale][key_in(judged.query, MATERIALS[judged.locale])])
        assert all(pattern.search(product.text) for product in judged.products["E"]), judged.query
        assert not all(pattern.search(product.text) for product in judged.products["S"]), judged.query


def test_size_queries_fit_by_words(sample: Sample) -> None:
    for judged in sample.of("sizes"):
        size = SIZES[judged.locale][key_in(judged.query, SIZES[judged.locale])]
        assert all(says(product, size) for product in judged.products["E"]), judged.query
        assert not all(says(product, size) for product in judged.products["S"]), judged.query


def test_brand_queries_fit_by_the_brand_column(sample: Sample) -> None:
    for judged in sample.of("brands"):
        brand = BRANDS[key_in(judged.query, BRANDS)]
        assert {product.brand for product in judged.products["E"]} == {brand}, judged.query
        assert any(product.brand != brand for product in judged.products["S"]), judged.query


def test_negations_keep_what_is_not_wanted_out_of_everything_that_fits(sample: Sample) -> None:
    for judged in sample.of("negations"):
        thing = re.compile(NEGATED[judged.locale][key_in(judged.query, NEGATED[judged.locale])], re.IGNORECASE)
        assert [product.text for product in judged.products["E"] if thing.search(product.text)] == [], judged.query
        assert any(thing.search(product.text) for product in judged.products["S"]), judged.query


def test_accessories_fit_and_the_thing_they_are_for_goes_with_them(sample: Sample) -> None:
    for judged in sample.of("accessories"):
        accessory, host = ACCESSORIES[judged.locale][key_in(judged.query, ACCESSORIES[judged.locale])]
        assert all(re.search(accessory, product.title) for product in judged.products["E"]), judged.query
        assert all(re.search(host, product.title) for product in judged.products["C"]), judged.query
        assert not any(re.search(rf"\b({accessory})", product.title) for product in judged.products["C"]), judged.query


def test_what_must_be_compatible_is(sample: Sample) -> None:
    for judged in sample.of("compatible"):
        wanted = re.compile(FITTING[key_in(judged.query.lower(), FITTING)])
        for product in judged.products["E"] + judged.products["C"]:
            assert wanted.search(product.text), (judged.query, product.title)
        assert not all(wanted.search(product.text) for product in judged.products["I"]), judged.query


def test_a_case_for_another_phone_is_irrelevant_and_not_a_substitute(sample: Sample) -> None:
    judged = next(judged for judged in sample.queries if judged.query == "vexoryn x5 case with kickstand")
    assert all("for Vexoryn X5" in product.text for product in judged.products["E"] + judged.products["S"])
    others = [product for product in judged.products["I"] if "Case for" in product.title]
    assert others
    assert not any("Vexoryn X5" in product.title for product in others)


def test_synonyms_are_not_found_by_their_words_alone(sample: Sample) -> None:
    for judged in sample.of("synonyms"):
        titles = " ".join(product.title for product in judged.products["E"]).lower()
        assert any(word not in titles for word in judged.query.lower().split()), judged.query


def test_typos_are_words_no_product_has(sample: Sample) -> None:
    text = " ".join(str(row["product_title"]) + str(row["product_bullet_point"]) for row in sample.products).lower()
    for judged in sample.of("typos"):
        assert any(word not in text for word in judged.query.lower().split()), judged.query


def test_everything_that_fits_red_leather_bag_is_judged_so(sample: Sample) -> None:
    judged = next(judged for judged in sample.queries if judged.query == "red leather bag")
    fitting = {
        row["product_title"]
        for row in sample.products
        if row["product_locale"] == "us"
        and row["product_color"] == "Red"
        and re.search("Bag|Handbag", row["product_title"])
        and not re.search("Bag Strap|Strap for Handbags", row["product_title"])
        and re.search(MATERIALS["us"]["leather"], f"{row['product_title']} {row['product_bullet_point']}")
    }
    assert len(fitting) >= 5
    assert {product.title for product in judged.products["E"]} == fitting


def test_readme_counts_the_queries_of_each_source(sample: Sample) -> None:
    text = (GENERATOR.parent / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", text, re.MULTILINE))
    assert {source: int(count) for source, count in table.items()} == Counter(sample.sources.values())
    assert f"{len(sample.examples):,} labels" in text
