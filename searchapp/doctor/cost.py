"""What a corpus would take: time, disk, memory, and which kinds it can train."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchapp.doctor.finding import Figure, Finding
from searchapp.doctor.reading import CorpusFacts
from searchapp.encoders import Encoder
from searchapp.errors import UsageError
from searchapp.index import KINDS, Plan, plan_kind
from searchapp.index.documents import RowFacts, write_documents
from searchapp.index.faiss_backend import estimate_bytes

SECONDS = 4.0
"""How long documents are embedded to learn how fast that is."""
WINDOW = 64
FLOAT = 4


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast documents were embedded."""

    documents: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Return documents per second."""
        return self.documents / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class Room:
    """What may be used."""

    memory: int | None
    disk: int


def measure_rate(facts: CorpusFacts, encoder: Encoder, *, seconds: float = SECONDS) -> Rate:
    """Embed the sample a window at a time until it ends or the time is up; at least one window."""
    texts = [one.text for one in facts.sample]
    start, done = time.perf_counter(), 0
    while done < len(texts):
        window = texts[done : done + WINDOW]
        encoder.encode_documents(window)
        done += len(window)
        if time.perf_counter() - start > seconds:
            break
    return Rate(done, time.perf_counter() - start)


def duration(facts: CorpusFacts, rate: Rate) -> Iterator[Finding]:
    """Say how long embedding the corpus would take."""
    whole = facts.count / rate.per_second
    yield Finding(
        "corpus",
        "time",
        "ok",
        f"embedding takes about {spell_seconds(whole)}: {rate.per_second:,.0f} documents a second over "
        f"{rate.documents:,} sampled ones",
        "once; dims and kinds are derived from the stored vectors, and a stopped call goes on",
        "",
        {"documents_per_second": round(rate.per_second, 2), "sampled": rate.documents, "seconds": round(whole, 1)},
    )


def plan_kinds(rows: int, dim: int) -> tuple[dict[str, Plan], dict[str, str], str]:
    """Return the kinds a corpus can have with their plans, why not the others, and what auto takes."""
    plans: dict[str, Plan] = {}
    refused: dict[str, str] = {}
    for name, kind in KINDS.items():
        try:
            plans[name] = plan_kind(name, rows=rows, dim=dim)
        except UsageError:
            refused[name] = f"needs {kind.min_rows:,} documents"
    return plans, refused, plan_kind("auto", rows=rows, dim=dim).asked


def kinds(facts: CorpusFacts, dim: int) -> Iterator[Finding]:
    """Say which kinds the corpus can train, how large each would be, and what auto takes."""
    plans, refused, auto = plan_kinds(facts.count, dim)
    sizes = {name: estimate_bytes(plan, dim, rows=facts.count) for name, plan in plans.items()}
    shown = ", ".join(f"{name} {spell_bytes(size)}" for name, size in sizes.items())
    short = ", ".join(f"{name} {reason}" for name, reason in refused.items())
    figures: dict[str, Figure] = {
        "auto": auto,
        "bytes": dict(sizes),
        "bytes_a_vector": {name: round(size / facts.count, 1) for name, size in sizes.items()},
        "refused": dict(refused),
    }
    found = f"auto takes {auto}; can be built at {dim} dims: {shown}" + (f"; not: {short}" if short else "")
    yield Finding(
        "corpus", "kinds", "ok", found, "choose with --kind, and judge the loss with searchapp bench", "", figures
    )


def space(facts: CorpusFacts, dim: int, room: Room, *, encoder: int = 0) -> Iterator[Finding]:
    """Say how much disk the index folder would take: vectors, documents, the file of the kind auto takes.

    `encoder` is how many bytes the query encoder takes that the folder carries.
    """
    plans, _, auto = plan_kinds(facts.count, dim)
    vectors, documents = FLOAT * dim * facts.count, documents_bytes(facts)
    derived = estimate_bytes(plans[auto], dim, rows=facts.count)
    total = vectors + documents + derived + encoder
    found = (
        f"about {spell_bytes(total)}: vectors {spell_bytes(vectors)}, documents {spell_bytes(documents)}, "
        f"{auto} {spell_bytes(derived)}" + (f", query encoder {spell_bytes(encoder)}" if encoder else "")
    )
    figures = {
        "bytes": total,
        "vectors": vectors,
        "documents": documents,
        "derived": derived,
        "encoder": encoder,
        "free": room.disk,
    }
    if total > room.disk:
        yield Finding(
            "corpus",
            "disk",
            "problem",
            f"{found}; {spell_bytes(room.disk)} are free here",
            "the disk would be full before the index is whole (what is finished by then is kept)",
            "make room, or name --out on another disk",
            figures,
        )
        return
    yield Finding("corpus", "disk", "ok", found, "--overwrite needs it twice till the old index is gone", "", figures)


def memory(facts: CorpusFacts, dim: int, room: Room) -> Iterator[Finding]:
    """Say how much memory a build would take: this process now, and what FAISS holds of the kind auto takes."""
    plans, _, auto = plan_kinds(facts.count, dim)
    plan, now = plans[auto], peak_memory()
    held = 0 if plan.factory == "Flat" else estimate_bytes(plan, dim, rows=facts.count)
    training = FLOAT * dim * plan.train_rows
    total = now + held + training
    found = f"about {spell_bytes(total)}: {spell_bytes(now)} with the model at work"
    found += (
        f", {spell_bytes(held + training)} to train and fill {auto}"
        if held
        else f"; {auto} goes to disk block by block"
    )
    figures = {"bytes": total, "peak": now, "held": held, "training": training, "free": room.memory}
    if room.memory is not None and held + training > room.memory:
        yield Finding(
            "corpus",
            "memory",
            "problem",
            f"{found}; {spell_bytes(room.memory)} are free here",
            "the build would be killed",
            "choose fewer --dim, or --kind flat, which is written block by block",
            figures,
        )
        return
    yield Finding("corpus", "memory", "ok", found, "it doesn't grow with the corpus beyond that", "", figures)


def documents_bytes(facts: CorpusFacts) -> int:
    """Return about how many bytes ids and stored fields take on disk, by writing the sample."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.arrow"
        rows = len(facts.sample)
        # Only their width matters.
        numbers = RowFacts(
            chunk=np.zeros(rows, np.int32),
            text_hash=np.zeros(rows, np.uint64),
            tokens_lost=np.zeros(rows, np.int32),
            prefixed=np.zeros(rows, np.bool_),
        )
        write_documents(path, facts.sample, numbers)
        return path.stat().st_size * facts.count // len(facts.sample)


def peak_memory() -> int:
    """Return the most bytes of memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def spell_bytes(count: float) -> str:
    """Spell a number of bytes.

    >>> spell_bytes(512), spell_bytes(1_536_000), spell_bytes(2.5e9)
    ('512 B', '1.5 MB', '2.5 GB')
    """
    unit, name = next((pair for pair in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if count >= pair[0]), (1, "B"))
    return f"{count / unit:,.1f} {name}" if unit > 1 else f"{count:,.0f} B"


def spell_seconds(seconds: float) -> str:
    """Spell a time.

    >>> spell_seconds(0.2), spell_seconds(75), spell_seconds(7200)
    ('1 second', '1.2 minutes', '2.0 hours')
    """
    if seconds < 60:
        whole = max(1, round(seconds))
        return f"{whole} second{'s' * (whole != 1)}"
    return f"{seconds / 60:,.1f} minutes" if seconds < 3600 else f"{seconds / 3600:,.1f} hours"
