"""Measure: a value that prints and parses as papers write it, and the table of all that there are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from searchapp.errors import MeasureError
from searchapp.metrics import ranking
from searchapp.metrics.ranking import Formula


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure: its name in reports, its other spellings (lower case), its formula and where that is from.

    `formulas` maps each denominator to a formula, the default first; the key is "" for measures that have no
    choice of denominator. `spellings` maps a spelling to the denominator that it stands for.
    """

    name: str
    spellings: Mapping[str, str]
    formulas: Mapping[str, Formula]
    definition: str
    takes_rel: bool = True
    needs_cutoff: bool = False


def _same(*spellings: str) -> dict[str, str]:
    return dict.fromkeys(spellings, "")


MEASURES = {
    row.name: row
    for row in (
        MeasureRow(
            "accuracy",
            _same("accuracy", "success", "hit_rate"),
            {"": ranking.accuracy},
            "1 if a relevant document is in the top k, else 0. Source: success_k of trec_eval, Accuracy@k of "
            "sentence-transformers; not the Accuracy of ir_measures, which compares pairs.",
            needs_cutoff=True,
        ),
        MeasureRow(
            "precision",
            _same("precision", "p"),
            {"": ranking.precision},
            "Relevant in the top k / k, also where fewer than k were ranked. Source: P_k of trec_eval.",
            needs_cutoff=True,
        ),
        MeasureRow(
            "recall",
            _same("recall", "r"),
            {"": ranking.recall},
            "Relevant in the top k / all relevant R. Source: recall_k of trec_eval.",
            needs_cutoff=True,
        ),
        MeasureRow(
            "nDCG",
            _same("ndcg", "ndcg_cut"),
            {"": ranking.ndcg},
            "Sum of gain(i) / log2(i + 1) over the top k, divided by the same of all judged documents in "
            "order of falling gain. Source: Järvelin and Kekäläinen 2002 with the discount of trec_eval's "
            "ndcg_cut_k.",
            takes_rel=False,
        ),
        MeasureRow(
            "RR",
            _same("rr", "mrr", "recip_rank"),
            {"": ranking.reciprocal_rank},
            "1 / rank of the first relevant document in the top k, else 0. Source: recip_rank of trec_eval "
            "(no cutoff), MRR@k of MS MARCO.",
        ),
        MeasureRow(
            "AP",
            {"ap": "", "map": "", "map_cut": "R"},
            {"min": ranking.average_precision, "R": ranking.average_precision_over_all},
            "Sum of precision@i over the relevant ranks i <= k, divided by min(k, R) (MAP@k of "
            "sentence-transformers) or, with denominator=R, by R (map_cut_k of trec_eval, AP@k of "
            "ir_measures); the same where R <= k or there is no cutoff.",
        ),
        MeasureRow(
            "Judged",
            _same("judged"),
            {"": ranking.judged},
            "Documents of the top k with any judgment / documents in the top k (fewer than k if fewer were "
            "ranked, 0 if none were). Source: Judged@k of ir_measures.",
            takes_rel=False,
        ),
    )
}
"""Every measure, by its name in reports. Tie rule of all: a ranking's order is taken as it stands; where
scores tie, `order_hits` decided it by document id, ascending ("searchapp") or descending ("trec_eval")."""

DEEPEST = 1_000_000_000
"""The largest cutoff."""

_BY_SPELLING = {spelling: row for row in MEASURES.values() for spelling in row.spellings}

_SHAPE = re.compile(
    r"(?:(?:cosine|dot|euclidean|manhattan)_)?"
    r"(?P<name>[a-z_]+?)"
    r"(?:\((?P<options>[^()]*)\))?"
    r"(?:@(?P<cutoff>.*)|_(?P<trec_cutoff>-?\d+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What to compute: a measure of the table, a cutoff, a relevance level of its own, a denominator.

    cutoff: the last rank that counts, 1 or more; None for the whole ranking.
    rel: the smallest relevant grade; None for the threshold of the judging.
    denominator: of AP only: "min" for min(k, R), "R" for R.

    `str` gives the key of reports; `Measure.parse(str(measure)) == measure`. Raises MeasureError for a name,
    cutoff or option that isn't in the table.

    >>> str(Measure.parse("ndcg_cut_10"))
    'nDCG@10'
    >>> Measure.parse("RR(rel=2)@10")
    Measure(name='RR', cutoff=10, rel=2, denominator='')
    >>> [str(Measure.parse(text)) for text in ("cosine_map@100", "AP(denominator=R)@100", "map_cut_100")]
    ['AP@100', 'AP(denominator=R)@100', 'AP(denominator=R)@100']
    """

    name: str
    cutoff: int | None = None
    rel: int | None = None
    denominator: str = ""

    def __post_init__(self) -> None:
        row = MEASURES.get(self.name)
        if row is None:
            raise _unknown(self.name)
        default = next(iter(row.formulas))
        if self.denominator and self.denominator not in row.formulas:
            raise MeasureError(f"{self.name} has no denominator {self.denominator!r}{_choices(row)}")
        if not self.denominator or self.cutoff is None:
            # Without a cutoff min(k, R) is R: one measure, one value, one spelling.
            object.__setattr__(self, "denominator", default)
        if self.cutoff is None and row.needs_cutoff:
            raise MeasureError(f"{self.name} needs a cutoff: type {self.name}@10, for example")
        if self.cutoff is not None and self.cutoff > DEEPEST:
            raise MeasureError(
                f"{self.name}@{self.cutoff} looks further than any ranking; a cutoff is at most {DEEPEST:,}"
            )
        if self.cutoff is not None and self.cutoff < 1:
            raise MeasureError(
                f"{self.name}@{self.cutoff} counts no document; a cutoff is 1 or more, for example {self.name}@10"
            )
        if self.rel is not None and not row.takes_rel:
            raise MeasureError(f"{self.name} has no relevance level, so rel={self.rel} means nothing; leave it out")
        if self.rel is not None and self.rel < 1:
            raise MeasureError(f"{self.name}(rel={self.rel}): the smallest relevant grade is 1 or more")

    @classmethod
    def parse(cls, text: str) -> "Measure":
        """Return the measure that `text` spells.

        Spellings of reports, ir_measures, trec_eval and sentence-transformers, in any case. `map_cut_100`
        means trec_eval's, with R below; `MAP@100` and `AP@100` have min(k, R). Raises MeasureError for what
        can't be read or isn't known.
        """
        match = _SHAPE.fullmatch(text.strip().lower())
        if match is None:
            raise _unknown(text)
        row = _BY_SPELLING.get(match["name"])
        if row is None:
            raise _unknown(text)
        cutoff = match["cutoff"] if match["trec_cutoff"] is None else match["trec_cutoff"]
        rel, denominator = _options(row, match["options"] or "", text)
        return cls(
            row.name,
            cutoff=None if cutoff is None else _number(cutoff, f"{text!r}: the cutoff"),
            rel=rel,
            denominator=denominator or row.spellings[match["name"]],
        )

    @property
    def row(self) -> MeasureRow:
        """Return the measure's row of the table."""
        return MEASURES[self.name]

    @property
    def formula(self) -> Formula:
        """Return the function that computes it."""
        return self.row.formulas[self.denominator]

    def __str__(self) -> str:
        options = []
        if self.rel is not None:
            options.append(f"rel={self.rel}")
        if self.denominator != next(iter(self.row.formulas)):
            options.append(f"denominator={self.denominator}")
        inside = f"({','.join(options)})" if options else ""
        return f"{self.name}{inside}" + ("" if self.cutoff is None else f"@{self.cutoff}")


def _options(row: MeasureRow, text: str, whole: str) -> tuple[int | None, str]:
    """Read "rel=2,denominator=r" into a level and a denominator as the table writes it."""
    rel: int | None = None
    denominator = ""
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key == "rel":
            rel = _number(value, f"{whole!r}: rel")
        elif key == "denominator":
            denominator = next((name for name in row.formulas if name.lower() == value), value)
        else:
            raise MeasureError(
                f"{whole!r}: there is no option {key!r}; known: rel (the smallest relevant grade), as in "
                "RR(rel=2)@10, and denominator, as in AP(denominator=R)@100"
            )
    return rel, denominator


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"-?\d+", text, re.ASCII):
        raise MeasureError(f"{what} is {text!r}, not a whole number; type nDCG@10 or RR(rel=2)@10, for example")
    return int(text)


def _choices(row: MeasureRow) -> str:
    names = [name for name in row.formulas if name]
    if not names:
        return "; leave it out"
    return "; it takes " + " or ".join(f"denominator={name}" for name in names)


def _unknown(text: str) -> MeasureError:
    name = re.split(r"[@(]|_(?=-?\d)", text.strip().lower(), maxsplit=1)[0]
    near = get_close_matches(name, _BY_SPELLING, n=1, cutoff=0.5)
    hint = f"did you mean {_BY_SPELLING[near[0]].name}? " if near else ""
    known = ", ".join(name + ("@k" if row.needs_cutoff else "[@k]") for name, row in MEASURES.items())
    return MeasureError(f"no measure is called {text!r}; {hint}known: {known}; for example nDCG@10")
