"""Write the sample catalogue: synthetic products, queries and E/S/C/I labels in ESCI's files and columns.

Every product and every query is a handful of attributes first (category, colour, material, size, brand,
audience, model, one feature) and text second; `sample_catalogue.label` decides from the attributes alone. Names,
words and phrases are in `sample_vocabulary.json`, the queries with their needs in `sample_queries.csv`. The same
seed gives the same bytes under the same pyarrow (a Parquet file names the version that wrote it).
"""

import argparse
import csv
import io
import random
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sample_catalogue import Need, Product, Vocabulary, draw, label, missed_by, read_needs, read_vocabulary
from sample_words import Row, Writer

HERE = Path(__file__).resolve().parent
COUNTS = {"us": 1000, "es": 500, "jp": 500}
# So many products are planted for a query: that fit, that miss one asked attribute and only it, that go with it.
PLANTED_FITS, PLANTED_MISSES, PLANTED_COMPLEMENTS = 8, 2, 3
# So many products of a label are judged at most. What fits is judged without exception, or a hit that fits would
# count as irrelevant; so random products stop fitting a query that has ENOUGH.
JUDGED = {"E": 16, "S": 5, "C": 3, "I": 4}
ENOUGH = 12
# So many ids of us occur again in es and in jp, for another product, as ids do in the real files.
SHARED_IDS = 25
# The small version keeps the harder queries.
EASY_SOURCES = ("plain", "colors", "brands")

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
SOURCES = "shopping_queries_dataset_sources.csv"
SCHEMAS = {
    PRODUCTS: pa.schema(
        [
            ("product_id", pa.string()),
            ("product_title", pa.string()),
            ("product_description", pa.string()),
            ("product_bullet_point", pa.string()),
            ("product_brand", pa.string()),
            ("product_color", pa.string()),
            ("product_locale", pa.string()),
        ]
    ),
    EXAMPLES: pa.schema(
        [
            ("example_id", pa.int64()),
            ("query", pa.string()),
            ("query_id", pa.int64()),
            ("product_id", pa.string()),
            ("product_locale", pa.string()),
            ("esci_label", pa.string()),
            ("small_version", pa.int64()),
            ("large_version", pa.int64()),
            ("split", pa.string()),
        ]
    ),
}


def plant(rng: random.Random, need: Need, vocabulary: Vocabulary, products: list[Product]) -> None:
    """Add products until a query has enough that fit, that miss just one asked attribute, and that go with it."""
    choices = vocabulary.choices(need.category, need.locale)
    complements = vocabulary.complements(need.category)
    labels = [label(need, product, vocabulary) for product in products]
    misses = [missed_by(need, product) for product in products if product.category == need.category]

    def near_miss(missed: str) -> Product:
        other = rng.choice([value for value in choices[missed] if value != need.wants[missed]])
        return draw(rng, need.category, need.locale, vocabulary, {**need.wants, missed: other})

    def complement() -> Product:
        category = rng.choice(list(complements))
        bound = complements[category]
        fixed = {bound: need.wants[bound]} if bound is not None and bound in need.wants else {}
        return draw(rng, category, need.locale, vocabulary, fixed)

    for _ in range(PLANTED_FITS - labels.count("E")):
        products.append(draw(rng, need.category, need.locale, vocabulary, need.wants))
    for name in need.wants:
        products += [near_miss(name) for _ in range(PLANTED_MISSES - misses.count((name,)))]
    for _ in range(PLANTED_COMPLEMENTS - labels.count("C")):
        products.append(complement())


def build_products(rng: random.Random, locale: str, vocabulary: Vocabulary, needs: Sequence[Need]) -> list[Product]:
    """Plant what the queries of a locale need, then fill up at random, the larger categories more.

    Raises ValueError if planting alone needs more products than the locale has.
    """
    products: list[Product] = []
    for need in needs:
        plant(rng, need, vocabulary, products)
    if len(products) > COUNTS[locale]:
        raise ValueError(f"{locale}: {len(products)} planted, at most {COUNTS[locale]} expected; raise COUNTS")
    fitting = [sum(label(need, product, vocabulary) == "E" for product in products) for need in needs]
    names = list(vocabulary.categories)
    weights = [vocabulary.categories[name]["weight"] for name in names]
    while len(products) < COUNTS[locale]:
        product = draw(rng, rng.choices(names, weights)[0], locale, vocabulary, {})
        fits = [row for row, need in enumerate(needs) if label(need, product, vocabulary) == "E"]
        if all(fitting[row] < ENOUGH for row in fits):
            products.append(product)
            for row in fits:
                fitting[row] += 1
    rng.shuffle(products)
    return products


def draw_ids(rng: random.Random, count: int, shared: Sequence[str]) -> list[str]:
    """Draw unique ids that look like ASINs (B0 and eight characters), among them all the shared ones."""
    ids = dict.fromkeys(shared)
    while len(ids) < count:
        ids["B0" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=8))] = None
    return rng.sample(list(ids), count)


def choose_judged(
    rng: random.Random, need: Need, vocabulary: Vocabulary, products: Sequence[Product]
) -> Iterator[tuple[int, str]]:
    """Choose the products to judge, as (position, label): all that fit, of the others mostly the most alike.

    Each way of missing has its turn: of "red leather bag", red bags of canvas as well as brown ones of leather.
    Raises ValueError if more products fit than are judged.
    """
    pools: dict[str, list[int]] = {name: [] for name in JUDGED}
    ways: Counter[tuple[str, tuple[str, ...]]] = Counter()
    distances: dict[int, tuple[bool, int, int]] = {}
    for position in rng.sample(range(len(products)), len(products)):
        product, missed = products[position], missed_by(need, products[position])
        pools[label(need, product, vocabulary)].append(position)
        distances[position] = product.category != need.category, len(missed), ways[product.category, missed]
        ways[product.category, missed] += 1
    if len(pools["E"]) > JUDGED["E"]:
        raise ValueError(
            f"{need.locale} {need.query!r}: {len(pools['E'])} products fit, at most {JUDGED['E']} expected; "
            "ask for something narrower in sample_queries.csv"
        )
    # The last two of I are any products at all, so that some are plainly irrelevant.
    nearest = {name: sorted(pool, key=distances.__getitem__)[: JUDGED[name]] for name, pool in pools.items()}
    nearest["I"][-2:] = [position for position in pools["I"] if position not in nearest["I"]][:2]
    for name, positions in nearest.items():
        for position in positions:
            yield position, name


def generate(seed: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Make the rows of the products, examples and sources files."""
    vocabulary = read_vocabulary(HERE / "sample_vocabulary.json")
    needs = read_needs(HERE / "sample_queries.csv")
    products: list[Row] = []
    examples: list[Row] = []
    for locale, count in COUNTS.items():
        rng = random.Random(f"{seed} {locale}")
        asked = {query_id: need for query_id, need in enumerate(needs) if need.locale == locale}
        drawn = build_products(rng, locale, vocabulary, list(asked.values()))
        ids = draw_ids(rng, count, [row["product_id"] for row in products[:SHARED_IDS]])
        writer = Writer(rng, locale, vocabulary)
        products += [writer.row(product, product_id) for product, product_id in zip(drawn, ids, strict=True)]
        for query_id, need in asked.items():
            for position, esci_label in choose_judged(rng, need, vocabulary, drawn):
                examples.append(
                    {
                        "example_id": len(examples),
                        "query": need.query,
                        "query_id": query_id,
                        "product_id": ids[position],
                        "product_locale": locale,
                        "esci_label": esci_label,
                        "small_version": int(need.source not in EASY_SOURCES),
                        "large_version": 1,
                        "split": "train" if query_id % 3 == 1 else "test",
                    }
                )
    sources = [{"query_id": query_id, "source": need.source} for query_id, need in enumerate(needs)]
    return products, examples, sources


def render_parquet(rows: Sequence[Row], schema: pa.Schema) -> bytes:
    """Write rows as the bytes of a Parquet file; nothing in it depends on when or where it is written."""
    sink = io.BytesIO()
    table = pa.Table.from_pylist(list(rows), schema=schema)
    pq.write_table(table, sink, compression="zstd", compression_level=19, version="2.6", store_schema=False)
    return sink.getvalue()


def render_csv(rows: Sequence[Row]) -> bytes:
    """Write rows as the bytes of a CSV file with a header line."""
    text = io.StringIO()
    lines = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return text.getvalue().encode()


def write_sample(folder: Path, seed: int) -> Mapping[str, int]:
    """Write the three files into a folder, each beside its place and then renamed; give the rows of each."""
    folder.mkdir(parents=True, exist_ok=True)
    products, examples, sources = generate(seed)
    contents = {
        PRODUCTS: render_parquet(products, SCHEMAS[PRODUCTS]),
        EXAMPLES: render_parquet(examples, SCHEMAS[EXAMPLES]),
        SOURCES: render_csv(sources),
    }
    for name, content in contents.items():
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)
    return {PRODUCTS: len(products), EXAMPLES: len(examples), SOURCES: len(sources)}


def main() -> None:
    """Parse the command line, write the files, print one line of counts a file."""
    parser = argparse.ArgumentParser(description="Write the sample catalogue with its queries and labels.")
    parser.add_argument("--out", type=Path, default=HERE / "sample", help="folder to write (default: data/sample)")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same bytes (default: 7)")
    arguments = parser.parse_args()
    for name, count in write_sample(arguments.out, arguments.seed).items():
        path = arguments.out / name
        print(f"{path}: {count:,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
