"""BM25 against the formula in plain Python, and tokens by value in several languages."""

import gzip
import itertools
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.lexical import K1, SAMPLE, B, Bm25
from searchapp.bench.tokens import Tokenizer, guess_language, name_language
from searchapp.errors import UsageError

ENGLISH = "the shoes that were worn by all of them are with their other things, which is not what they should have been"
SPANISH = "los zapatos que estaban en las tiendas no fueron para nosotros, sino para quienes tenían mucho más dinero"
SWAHILI = "vitabu vya watoto na walimu wa shule ni kwa ajili ya kila mtu katika mji huo, lakini pia ambao hawana"


def _formula(documents: list[list[str]], query: list[str], k1: float, b: float) -> list[float]:
    """Score by the formula of Bm25's docstring, document by document."""
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        counts = Counter(words)
        score = 0.0
        for token in query:
            df = sum(token in other for other in documents)
            if df:
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                score += idf * counts[token] / (counts[token] + k1 * (1 - b + b * len(words) / average))
        scores.append(score)
    return scores


def test_scores_are_those_of_the_formula() -> None:
    draw = np.random.default_rng(0)
    words = [f"w{number}" for number in range(40)]
    documents = [" ".join(draw.choice(words, draw.integers(0, 30))) for _ in range(200)]
    bm25 = Bm25(iter(documents), language="none")
    assert len(bm25) == 200
    for query in ("w1", "w3 w7 w9", "w3 w3 w5", "w2 nowhere", "nowhere"):
        expected = _formula([text.split() for text in documents], query.split(), K1, B)
        found = bm25.scores(query)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=2e-6)
        assert ((found > 0) == (np.array(expected) > 0)).all()


def test_a_worked_example_with_the_stated_parameters() -> None:
    bm25 = Bm25(["red bag", "red red kettle lamp"], language="none")
    idf_both, idf_one = math.log(1 + 0.5 / 2.5), math.log(1 + 1.5 / 1.5)
    short, long = 0.9 * (0.6 + 0.4 * 2 / 3), 0.9 * (0.6 + 0.4 * 4 / 3)
    expected = [idf_both / (1 + short) + idf_one / (1 + short), idf_both * 2 / (2 + long)]
    np.testing.assert_allclose(bm25.scores("red bag"), expected, rtol=1e-6)


@pytest.mark.parametrize("documents", [[], ["", "!?"]], ids=["no documents", "no words"])
def test_a_corpus_without_words_finds_nothing(documents: list[str]) -> None:
    bm25 = Bm25(documents)
    assert bm25.scores("red bag").tolist() == [0.0] * len(documents)
    assert bm25.index_bytes == 0


def test_english_drops_stop_words_and_stems() -> None:
    assert Tokenizer("english")("The Running SHOES of the Ladies, size ７½") == [
        "run",
        "shoe",
        "ladi",
        "size",
        "71",
        "2",
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("赤い革のバッグ", ["赤い", "い革", "革の", "のバ", "バッ", "ッグ"]),
        ("ｶﾞｽ 犬", ["ガス", "犬"]),
        ("가방을 들고", ["가방", "방을", "들고"]),
        ("ถุงมือ", ["ถุ", "ุง", "งม", "มื", "ือ"]),
        ("USB充電器 iPhone用", ["usb", "iphone", "充電", "電器", "用"]),
        ("kitabu cha watoto", ["kitabu", "cha", "watoto"]),
        ("हिन्दी किताब", ["हिन्दी", "किताब"]),
        ("東京・大阪", ["東京", "大阪"]),
    ],
)
def test_tokens_without_a_language(text: str, tokens: list[str]) -> None:
    assert Tokenizer("none")(text) == tokens


@pytest.mark.parametrize(
    ("language", "documents", "query", "found"),
    [
        ("jp", ["青いドレス", "赤い革のバッグ", "革靴 メンズ"], "赤いバッグ", [1]),
        ("korean", ["파란 드레스", "가죽 가방을 만드는 법", "구두"], "가방", [1]),
        ("es", ["vestido azul", "los zapatos rojos", "bolsas de cuero"], "zapato rojo para los niños", [1]),
        ("sw", ["gauni la bluu", "kitabu cha watoto", "viatu vyekundu"], "vitabu kitabu", [1]),
        ("chinese", ["蓝色连衣裙", "红色皮包", "皮鞋"], "皮包", [1]),
        ("english", ["blue dresses", "the red bags", "kettle of tea"], "a red bag of the dress", [1, 0]),
    ],
)
def test_retrieval_in_many_languages(language: str, documents: list[str], query: str, found: list[int]) -> None:
    scores = Bm25(documents, language=language).scores(query)
    assert [row for row in np.argsort(-scores, kind="stable").tolist() if scores[row] > 0] == found


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "english"),
        (SPANISH, "spanish"),
        (SWAHILI, "swahili"),
        ("赤い革のバッグ 青いドレス 革靴 メンズ", "none"),
        ("kettle 1.7 l stainless 2200 w", "none"),
        ("", "none"),
    ],
)
def test_the_language_is_guessed(text: str, language: str) -> None:
    assert guess_language([text]) == language


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("eng_Latn", "english"),
        ("spa_Latn", "spanish"),
        ("swh_Latn", "swahili"),
        ("jpn_Jpan", "none"),
        ("kor_Hang", "none"),
    ],
)
def test_the_language_of_translations_is_guessed(real_data: Path, code: str, language: str) -> None:
    lines = (real_data / "flores" / f"{code}.txt").read_text(encoding="utf-8").splitlines()
    assert guess_language(lines) == language
    assert [guess_language(lines[start : start + 50]) for start in range(0, 950, 50)] == [language] * 19


@pytest.mark.parametrize("name", ["groceries", "glosses"])
def test_english_names_and_prose_are_english(real_data: Path, name: str) -> None:
    with gzip.open(real_data / "scale" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        assert guess_language(json.loads(line)["text"] for line in itertools.islice(lines, 2000)) == "english"


def test_auto_looks_at_the_first_documents_and_keeps_them() -> None:
    documents = [SPANISH] * SAMPLE + [ENGLISH] * (2 * SAMPLE)
    bm25 = Bm25(iter(documents))
    assert bm25.note == "bm25: spanish stop words and stems, k1 0.9, b 0.4"
    assert np.flatnonzero(bm25.scores("zapato")).tolist() == list(range(SAMPLE))


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="--language 'klingon' is not known; type one of auto, english, spanish"):
        Bm25(["a"], language="klingon")
    assert [name_language(text) for text in (" JP ", "us", "sw", "none")] == ["japanese", "english", "swahili", "none"]


def test_the_bytes_are_those_of_the_postings() -> None:
    bm25 = Bm25(["red bag", "red red kettle"], language="none")
    postings, tokens = 4, 3
    assert bm25.index_bytes == postings * (4 + 4) + (tokens + 1) * 8 + len("redbagkettle")


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    Bm25([ENGLISH] * 3000).scores("shoe")
    assert tuple(capfd.readouterr()) == ("", "")


def test_the_library_is_asked_for_late_and_missed_by_its_extra() -> None:
    code = (
        "import sys\nimport searchapp.bench.baselines as baselines\n"
        "print(sorted({'bm25s', 'Stemmer', 'tqdm'} & sys.modules.keys()))\n"
        "sys.modules['bm25s'] = None\n"
        "try:\n    baselines.Bm25(['a'])\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "[]",
        "MissingExtraError bm25s is not installed, and this needs it; type: pip install 'searchapp[judge]'",
    ]
