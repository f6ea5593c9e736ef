"""What a judge is called at every dim, and the full name of a measure: as on the reference cards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from searchapp.corpus.columns import nearest
from searchapp.errors import UsageError
from searchapp.train.keys import KEYS
from searchapp.train.recipe import JudgeSpec


def dim_name(name: str, dim: int, *, several: bool) -> str:
    """Name a judge at one of its dims.

    >>> dim_name("triplet-esci", 768, several=False), dim_name("sts-dev", 64, several=True)
    ('triplet-esci', 'sts-dev-64')

    One that is called `dim` is what sentence-transformers' Matryoshka examples call theirs, however many dims it has:

    >>> dim_name("dim", 768, several=True), dim_name("dim", 768, several=False)
    ('dim_768', 'dim_768')
    """
    if name == "dim":
        return f"dim_{dim}"
    return f"{name}-{dim}" if several else name


def full_name(judge: str, key: str) -> str:
    """Name a measure of a judge at one dim.

    >>> full_name("dim_768", "cosine_map@100")
    'dim_768_cosine_map@100'
    """
    return f"{judge}_{key}"


def split_name(full: str) -> tuple[str, str]:
    """Return the judge at one dim and the key of a full name; raises ValueError for a key that no judge has.

    >>> split_name("dim_768_cosine_map@100")
    ('dim_768', 'cosine_map@100')
    """
    key = max((key for key in KEYS if full.endswith(f"_{key}")), key=len)
    return full.removesuffix(f"_{key}"), key


def at_every_dim(measure: str | None, rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the full names among some rows' that are of the same key as `measure`, in order; none for None.

    >>> at_every_dim("d-64_max_accuracy", [["d-64_max_accuracy", "d-64_dot_accuracy"], ["d-32_max_accuracy"]])
    ['d-64_max_accuracy', 'd-32_max_accuracy']
    """
    if measure is None:
        return []
    _, key = split_name(measure)
    return list(dict.fromkeys(name for row in rows for name in row if split_name(name)[1] == key))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one judge: its dims, widest first, and the key by which the best is kept."""

    name: str
    dims: tuple[int, ...]
    key: str

    @property
    def measure(self) -> str:
        """Return the full name of what the best is kept by: the key at the widest dim."""
        return full_name(self.at(self.dims[0]), self.key)

    def at(self, dim: int) -> str:
        """Return what the judge is called at one of its dims."""
        return dim_name(self.name, dim, several=len(self.dims) > 1)


def name_judge(spec: JudgeSpec, dims: Sequence[int], *, keys: Sequence[str], usual: str) -> Names:
    """Choose the names of a judge that measures `keys` at `dims`; `usual` is kept by where the spec says nothing.

    Raises UsageError for a measure that is none of the keys.
    """
    key = spec.measure or usual
    if key not in keys:
        near = nearest(key, keys)
        hint = f"did you mean {near}? " if near else ""
        raise UsageError(
            f"judge.measure is {key!r}, and this judge measures other things; {hint}type --set judge.measure= and one "
            f"of {', '.join(keys)}"
        )
    return Names(spec.name, tuple(sorted(dims, reverse=True)), key)
