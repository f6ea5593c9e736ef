"""Titles as shops write them, and what one types to find them: made up of WordNet's nouns, seeded.

A title is a made-up brand, sizes, colours, materials, a noun and a part number; a query is that noun, a synonym or its
hypernym, with some of the title's words. So numbers and units are met everywhere and tell little, as in a real shop.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from static_sources import Row, lemmas_of


def _words(text: str, mark: str = " ") -> list[str]:
    return text.split(mark)


_KINDS = {"06", "13", "20", "27"}
"""WordNet's files of artifacts, food, plants and substances."""
_UNITS = _words(
    "in.,ft.,gal.,oz.,lb.,mm,cm,sq. ft.,qt.,Volt,Amp,Watt,-Pack,-Piece,-Light,-Gauge,V,W,GPM,BTU,-Count,yd.,m,L,kg,ml,"
    "GB,-Inch,-Foot,-Gallon,inch,ft",
    mark=",",
)
_COLOURS = _words(
    "white black brown gray red blue green beige silver bronze brass chrome nickel copper gold ivory almond tan clear "
    "walnut oak cherry cedar pine maple stainless steel satin polished brushed matte gloss antique natural"
)
_ADJECTIVES = _words(
    "outdoor indoor portable electric cordless heavy duty adjustable flexible galvanized plastic wood wooden metal "
    "steel aluminum vinyl ceramic glass rubber foam concrete leather cotton nylon round square rectangular double "
    "single mini large small deluxe premium classic universal replacement decorative waterproof insulated mounted "
    "folding commercial residential professional pressure treated unfinished smooth textured solid hollow"
)
_ONSETS = _words("b c d f g h j k l m n p r s t v w z br cr dr fl gr kr pl st tr sh")
_VOWELS = _words("a e i o u ea ee oo ai")
_CODAS = ["", "n", "x", "r", "co", "tek", "l", "s"]
_LETTERS = "ABCDEGHKMPRSTX"

Noun = tuple[list[str], list[list[str]]]
"""The lemmas of a synset, and those of each of its hypernyms."""


def make_products(packages: Path, count: int, seed: int) -> Iterator[Row]:
    """Yield (kind, query, title), `count` of them."""
    rng = random.Random(seed)
    nouns = _read_nouns(packages / "usr/share/wordnet/data.noun")
    names = [word.title() for lemmas, _ in nouns for word in lemmas if " " not in word and rng.random() < 0.05]
    for _ in range(count):
        yield "wordnet-product", *_product(rng, nouns, names)


def _read_nouns(path: Path) -> list[Noun]:
    found = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line.startswith(" "):
            fields = line.partition(" | ")[0].split()
            at = 4 + 2 * int(fields[3], 16)
            pointers = [fields[at + 1 + 4 * number : at + 3 + 4 * number] for number in range(int(fields[at]))]
            found[fields[0]] = (fields[1], lemmas_of(fields), [to for mark, to in pointers if mark in ("@", "@i")])
    return [
        (lemmas, [found[to][1] for to in above if to in found])
        for kind, lemmas, above in found.values()
        if kind in _KINDS
    ]


def _product(rng: random.Random, nouns: list[Noun], names: list[str]) -> tuple[str, str]:
    lemmas, above = rng.choice(nouns)
    noun = rng.choice(lemmas)
    brand, size, colour = _brand(rng, names), _size(rng), rng.choice(_COLOURS)
    adjectives = rng.sample(_ADJECTIVES, rng.choice((0, 1, 1, 2, 3)))
    other = rng.choice(rng.choice(nouns)[0]) if rng.random() < 0.25 else ""
    title = [brand.title()]
    if rng.random() < 0.3:
        title.append(rng.choice(_ADJECTIVES) + rng.choice(("", " Series", " Collection", " Pro")))
    sized, coloured = rng.random() < 0.7, rng.random() < 0.5
    title += [size] * sized + [colour.title()] * coloured + [word.title() for word in adjectives] + [noun.title()]
    title += [f"with {other.title()}"] if other else []
    title += [f"in {rng.choice(_COLOURS).title()}"] if rng.random() < 0.2 else []
    title += [f"{''.join(rng.choices(_LETTERS, k=2))}{rng.randint(10, 99999)}"] if rng.random() < 0.2 else []
    query = []
    if sized and rng.random() < 0.3:
        query.append(size if rng.random() < 0.3 else re.sub(r"[.]", "", size).replace("-", " ").split(" x ")[0])
    query += [brand] if rng.random() < 0.15 else []
    query += [colour] if coloured and rng.random() < 0.25 else []
    query += [rng.choice(adjectives)] if adjectives and rng.random() < 0.5 else []
    query.append(_asked(rng, noun, lemmas, above))
    query += [f"{'with ' if rng.random() < 0.5 else ''}{other}"] if other and rng.random() < 0.3 else []
    if rng.random() < 0.15:
        query.reverse()
    return (" ".join(query) + ("s" if rng.random() < 0.1 else "")).lower(), " ".join(title)


def _asked(rng: random.Random, noun: str, lemmas: list[str], above: list[list[str]]) -> str:
    """Return what one calls a thing: as its title does, by a synonym, or by what kind of thing it is."""
    draw = rng.random()
    if draw < 0.55:
        asked = noun
    elif draw < 0.8 or not above:
        asked = rng.choice(lemmas)
    else:
        asked = rng.choice(rng.choice(above))
    return asked if rng.random() < 0.8 else asked.split()[-1]


def _brand(rng: random.Random, names: list[str]) -> str:
    if rng.random() < 0.5:
        return rng.choice(names)
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice((1, 2, 2, 3)))]
    return "".join(syllables) + rng.choice(_CODAS)


def _size(rng: random.Random) -> str:
    unit = rng.choice(_UNITS)
    size = f"{_number(rng)}{'' if unit.startswith('-') else ' '}{unit}"
    for share in (0.35, 0.15):
        if rng.random() < share:
            size += f" x {_number(rng)} {unit.strip('-')}"
    return size


def _number(rng: random.Random) -> str:
    return rng.choice(
        (
            str(rng.randint(1, 99)),
            str(rng.randint(1, 12)),
            f"{rng.randint(1, 12)}-{rng.choice((1, 3, 5))}/{rng.choice((2, 4, 8))}",
            f"{rng.choice((1, 3, 5, 7))}/{rng.choice((2, 4, 8, 16))}",
            f"{rng.randint(0, 20)}.{rng.randint(1, 9)}",
            str(rng.choice((36, 48, 72, 96, 100, 120, 240, 500, 1000))),
        )
    )
