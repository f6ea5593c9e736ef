"""The one door to FAISS: the library, what is inside an index of it, and what its errors say."""

import contextlib
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from searchapp.errors import IndexFolderError
from searchapp.optional import require

if TYPE_CHECKING:
    from faiss import Index as RawIndex


@cache
def faiss_module() -> ModuleType:
    """Return FAISS; raise MissingExtraError naming the line to type where it isn't installed."""
    return require("faiss", extra="cpu")


def count_threads() -> int:
    """Return how many threads FAISS searches with."""
    threads: int = faiss_module().omp_get_max_threads()
    return threads


def faiss_version() -> str:
    """Return the version of FAISS: another one may train and write otherwise."""
    version: str = faiss_module().__version__
    return version


@contextlib.contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """Let FAISS work on so many threads when called from this one; None leaves it as it is.

    Threads that wait for each other cost more than they bring where the work between is small, most of all where other
    work shares the cores: training without lists is a thousand small k-means, and took 68 s instead of 2; one query of
    100,000 codes took 28 ms instead of .4.
    """
    faiss = faiss_module()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def assert_inner_product(index: "RawIndex", what: str) -> None:
    """Raise IndexFolderError unless the index and everything inside it rank by inner product.

    FAISS's IVF has two metrics, its own and its quantiser's, and either may default to L2 unnoticed.
    """
    faiss = faiss_module()
    for part, inner in parts_of(index):
        if inner.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise IndexFolderError(
                f"{what}: the {part} ({type(inner).__name__}) has FAISS metric {inner.metric_type} where inner product "
                f"({faiss.METRIC_INNER_PRODUCT}) was expected; build it again"
            )


def parts_of(index: "RawIndex") -> "Iterator[tuple[str, Any]]":
    """Yield the index and all that is inside it, by name and as what it is."""
    faiss = faiss_module()
    todo: list[tuple[str, Any]] = [("index", index)]
    while todo:
        part, inner = todo.pop()
        if inner is None:
            continue
        inner = faiss.downcast_index(inner)
        yield part, inner
        todo += [(name, getattr(inner, name, None)) for name in ("index", "quantizer", "base_index", "refine_index")]
        if isinstance(inner, faiss.IndexHNSW):
            todo.append(("storage", inner.storage))


def reason_of(error: RuntimeError) -> str:
    """Return what FAISS says, without where in its sources it says so."""
    text = str(error).strip().splitlines()[0]
    return re.sub(r"^.*?\.(?:cpp|h):\d+: ", "", text).removeprefix("Error: ")
