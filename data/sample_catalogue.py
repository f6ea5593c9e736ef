"""What a product and a query are before they have words, and the one rule that labels a pair of them."""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Need:
    """What one query asks for: a category and the attributes wanted of it."""

    locale: str
    source: str
    query: str
    category: str
    wants: Attributes


@dataclass(frozen=True)
class Product:
    """One product before it has words; an attribute that is not stated is absent."""

    category: str
    attributes: Attributes


@dataclass(frozen=True)
class Vocabulary:
    """Categories, words and phrases as `sample_vocabulary.json` has them."""

    brands: Mapping[str, Mapping[str, str]]
    colors: Mapping[str, Any]
    materials: Mapping[str, Any]
    audiences: Mapping[str, Any]
    templates: Mapping[str, Sequence[str]]
    phrases: Mapping[str, Any]
    categories: Mapping[str, Any]

    def choices(self, category: str, locale: str) -> dict[str, list[str]]:
        """Give the values each attribute of a category can take in a locale."""
        entry = self.categories[category]
        models: list[str] = entry.get("models", [])
        made_by = list(dict.fromkeys(model.split()[0] for model in models))
        found: dict[str, list[str]] = {
            "model": models,
            "brand": made_by if models and self.is_host(category) else list(self.brands[entry["brands"]]),
            "color": entry.get("colors", list(self.colors)),
            "material": entry.get("materials", []),
            "size": entry.get("sizes", {}).get(locale, []),
            "audience": entry.get("audiences", []),
            "feature": ["yes", "no"] if "yes" in entry[locale] else [],
        }
        return {name: values for name, values in found.items() if values}

    def is_host(self, category: str) -> bool:
        """Tell whether a model names the product itself (a phone), not what it fits (a case)."""
        bound_by: str | None = self.categories[category].get("bound_by")
        return bound_by != "model"

    def complements(self, category: str) -> dict[str, str | None]:
        """Give the categories used with this one, each with the attribute that must agree, or None."""
        pairs = {name: (entry.get("goes_with", []), entry.get("bound_by")) for name, entry in self.categories.items()}
        accessories = {name: bound for name, (hosts, bound) in pairs.items() if category in hosts}
        hosts, bound = pairs[category]
        return accessories | dict.fromkeys(hosts, bound)


def read_vocabulary(path: Path) -> Vocabulary:
    """Read categories, words and phrases."""
    return Vocabulary(**json.loads(path.read_text(encoding="utf-8")))


def read_needs(path: Path) -> list[Need]:
    """Read the queries with their needs, in file order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Need(row["locale"], row["source"], row["query"], row["category"],
             dict(pair.split("=", 1) for pair in row["wants"].split(";") if pair))
        for row in rows
    ]  # fmt: skip


def draw(rng: random.Random, category: str, locale: str, vocabulary: Vocabulary, fixed: Attributes) -> Product:
    """Draw a product of a category: fixed attributes as given, others at random; seldom one is not stated."""
    choices = vocabulary.choices(category, locale)
    attributes: dict[str, str] = {}
    for name, values in choices.items():
        if name == "brand" and "model" in attributes and vocabulary.is_host(category):
            attributes[name] = attributes["model"].split()[0]
        elif name in fixed:
            attributes[name] = fixed[name]
        elif name == "model" and "brand" in fixed:
            attributes[name] = rng.choice([model for model in values if model.startswith(fixed["brand"])])
        elif name not in ("brand", "color") or rng.random() > 0.07:
            attributes[name] = rng.choice(values)
    return Product(category, attributes)


def missed_by(need: Need, product: Product) -> tuple[str, ...]:
    """Name the asked attributes a product does not have, in the order the query asks for them."""
    return tuple(name for name, value in need.wants.items() if product.attributes.get(name) != value)


def label(need: Need, product: Product, vocabulary: Vocabulary) -> str:
    """Decide E, S, C or I from attributes alone.

    E: the asked category with every asked attribute. S: the asked category missing some, unless it is made
    for another model (a case for another phone is no substitute: I). C: used together with what is asked, and
    of the same model or size where those bind the two and the query names one. I: everything else.
    """
    missed = missed_by(need, product)
    if product.category == need.category:
        if not missed:
            return "E"
        return "I" if "model" in missed and not vocabulary.is_host(need.category) else "S"
    complements = vocabulary.complements(need.category)
    if product.category in complements and complements[product.category] not in missed:
        return "C"
    return "I"
