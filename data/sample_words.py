"""Attributes into catalogue text: titles, bullet points, descriptions in English, Spanish and Japanese."""

import random
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sample_catalogue import Product, Vocabulary

SPANISH_FORMS = ("m", "f", "mp", "fp")
Row = dict[str, Any]


@dataclass
class Writer:
    """Turn products of one locale into rows with words; no title is given twice."""

    rng: random.Random
    locale: str
    vocabulary: Vocabulary
    titles: set[str] = field(default_factory=set)

    def row(self, product: Product, product_id: str) -> Row:
        """Write one product as a row of the products file."""
        attributes = product.attributes
        bare = self.rng.random() < 0.08  # no bullet points: then the title must say everything
        words = self.words(product)
        title = self.title(words, bare)
        while title in self.titles:
            words = self.words(product)
            title = self.title(words, bare)
        self.titles.add(title)
        color = self.vocabulary.colors[attributes["color"]][self.locale] if "color" in attributes else None
        return {
            "product_id": product_id,
            "product_title": title,
            "product_description": self.description(words) if self.rng.random() < 0.6 else None,
            "product_bullet_point": None if bare else self.bullets(words),
            "product_brand": attributes.get("brand"),
            "product_color": color[0].capitalize() if isinstance(color, list) else color,
            "product_locale": self.locale,
        }

    def words(self, product: Product) -> dict[str, str]:
        """Choose the words for a product's attributes; an absent attribute is the empty string."""
        rng, locale, attributes = self.rng, self.locale, product.attributes
        entry, phrases = self.vocabulary.categories[product.category], self.vocabulary.phrases[locale]
        local = entry[locale]
        name, _, form = rng.choice(local["names"]).partition("|")
        words = {
            "name": name,
            "size": attributes.get("size", ""),
            "extra": rng.choice(local["extras"]),
            "fits": "",
            "model": "",
        }
        brand = attributes.get("brand", "")
        if locale == "jp" and brand and rng.random() < 0.4:
            brand = self.vocabulary.brands[entry["brands"]][brand]
        words["brand"] = brand
        if "model" in attributes and self.vocabulary.is_host(product.category):
            words["brand"] = f"{brand} {attributes['model'].split()[1]}"
        elif "model" in attributes:
            words["model"] = attributes["model"]
            words["fits"] = phrases["fits"].format(attributes["model"])
        color = self.vocabulary.colors[attributes["color"]][locale] if "color" in attributes else ""
        words["color"] = color[SPANISH_FORMS.index(form)] if isinstance(color, list) else color
        words["material"] = ""
        if "material" in attributes:
            words["material"] = phrases["material"].format(
                rng.choice(self.vocabulary.materials[attributes["material"]][locale])
            )
        words["audience"] = (
            self.vocabulary.audiences[attributes["audience"]][locale] if "audience" in attributes else ""
        )
        words["feature"] = rng.choice(local[attributes["feature"]]) if "feature" in attributes else ""
        letters = "".join(rng.choices(string.ascii_uppercase, k=2))
        words["code"] = f"{letters}-{rng.randrange(100, 9999)}"
        return words

    def title(self, words: Mapping[str, str], complete: bool) -> str:
        """Fill a title template; unless complete, now and then leave something to the bullet points alone."""
        shown = dict(words)
        for name, share in (("feature", 0.12), ("size", 0.12), ("material", 0.06), ("audience", 0.2)):
            if not complete and self.rng.random() < share:
                shown[name] = ""
        if not words["brand"]:
            shown["code"] = ""
        text = self.rng.choice(self.vocabulary.templates[self.locale]).format(**shown)
        return tidy(text)

    def bullets(self, words: Mapping[str, str]) -> str:
        """List every stated attribute, one a line, in a shuffled order."""
        forms = self.vocabulary.phrases[self.locale]["bullets"]
        values = {**words, "fits": words["model"], "material": words["material"].removeprefix("de ")}
        lines = [form.format(values[name]) for name, form in forms.items() if values[name]]
        self.rng.shuffle(lines)
        return "\n".join(lines)

    def description(self, words: Mapping[str, str]) -> str:
        """Write one or two sentences around the name."""
        phrases = self.vocabulary.phrases[self.locale]
        form: str = self.rng.choice(phrases["descriptions"])
        return form.format(name=words["name"], extra=words["extra"], brand=words["brand"] or phrases["nameless"])


def tidy(text: str) -> str:
    """Drop the separators around empty slots and begin with a capital."""
    text = re.sub(r"\[\s*\]|【\s*】", "", text)
    text = re.sub(r"\(\s*,\s*|,\s*\)", lambda found: found[0].strip(", "), text)
    text = re.sub(r"\(\s*\)", "", re.sub(r"\s+", " ", text))
    text = re.sub(r"(?:\s*,)+", ",", text)
    text = re.sub(r"[,\s]*\s([-|])(?:\s+[-|,])*(?=\s|$)", r" \1", text)
    text = re.sub(r"\s+", " ", text).strip(" ,-|")
    return text[0].upper() + text[1:]
