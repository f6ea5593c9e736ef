"""The index a bench measures: the user's own, or one built for the occasion; every dim and kind from one embedding."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from searchapp.build import BuildOptions, Progress, build_index, silent
from searchapp.corpus import Corpus
from searchapp.encoders import Encoder
from searchapp.index import Index, derive, open_index
from searchapp.layout import MANIFEST


@contextlib.contextmanager
def indexed(
    corpus: Corpus, encoder: Encoder, *, dims: Sequence[int], kinds: Sequence[str], progress: Progress = silent
) -> Iterator[Index]:
    """Embed a corpus once into a temporary index that holds every (dim, kind); gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="searchapp-bench-") as folder:
        options = BuildOptions(dims=tuple(dims), kinds=tuple(kinds))
        yield build_index(corpus, Path(folder) / "index", encoder=encoder, options=options, progress=progress)


@contextlib.contextmanager
def with_derived(index: Index, *, dims: Sequence[int], kinds: Sequence[str]) -> Iterator[Index]:
    """Give an index that holds every (dim, kind) asked for; what is missing is made beside it and gone at the end.

    The user's own folder is not written to: its files are linked into a temporary one.
    """
    if not dims and not kinds:
        yield index
        return
    wanted_dims = dims or sorted({derived.dim for derived in index.manifest.derived}, reverse=True)
    wanted_kinds = kinds or list(dict.fromkeys(derived.asked for derived in index.manifest.derived))
    with tempfile.TemporaryDirectory(prefix="searchapp-bench-") as name:
        folder = Path(name)
        for item in index.folder.resolve().iterdir():
            if item.name == MANIFEST:
                (folder / MANIFEST).write_bytes(item.read_bytes())
            else:
                (folder / item.name).symlink_to(item)
        yield derive(open_index(folder), wanted_dims, wanted_kinds)
