"""A check-up: everything that is named, looked at in turn; nothing that is broken stops it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from searchapp.build import Progress, silent
from searchapp.corpus import ReadOptions, open_corpus
from searchapp.doctor import contract, corpus, cost, files, index, machine, model, precision, prompts, spread
from searchapp.doctor.encoder_size import estimate_encoder
from searchapp.doctor.finding import BROKEN, Finding, Report, examine, from_error
from searchapp.doctor.reading import CorpusFacts, read_facts
from searchapp.encoders import Encoder, EncoderOptions, load_encoder
from searchapp.encoders.catalog import DEFAULT
from searchapp.encoders.folder import ModelFolder, find_folder, is_here
from searchapp.encoders.lengths import open_token_counter
from searchapp.errors import SearchappError, UsageError
from searchapp.index import Index, open_index
from searchapp.layout import MANIFEST
from searchapp.search import load_contract_encoder

NO_MODEL = "nothing can be embedded or searched with it"
NO_INDEX = "nothing can be searched in it"
NO_CORPUS = "nothing can be indexed of it"
CARRIED = "the index carries its query encoder, so it is searched without; documents can't be embedded"
ODD = "this could not be looked at, which is a bad sign in itself"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look at. Without a model, that of the index; without either, the default one."""

    model: str | None = None
    options: EncoderOptions = EncoderOptions()
    index: Path | None = None
    corpus: str | None = None
    reading: ReadOptions = ReadOptions()
    place: Path = Path()
    """Where an index would be made."""


@dataclass(slots=True)
class _Opened:
    """What could be opened of all that is named."""

    index: Index | None = None
    source: ModelFolder | None = None
    encoder: Encoder | None = None
    was_here: bool = True


def check_up(wanted: Wanted, *, progress: Progress = silent) -> Report:
    """Look at everything that is named and report it, the parts in their order: machine, model, index, corpus.

    What is broken is a finding. Raises UsageError where the call itself makes no sense.
    """
    opened = _Opened()
    on_index = [] if wanted.index is None else _open_index(wanted.index, opened)
    progress("loading the model", 0, None)
    on_model = [*_load(wanted, opened), *_model(wanted, opened)]
    progress("looking at the index", 0, None)
    on_index += _index(opened)
    on_corpus = [] if wanted.corpus is None else list(_corpus(wanted, wanted.corpus, opened, progress))
    # Last, as it tells what all of the above has loaded.
    return Report((*_machine(wanted), *on_model, *on_index, *on_corpus))


def _machine(wanted: Wanted) -> Iterator[Finding]:
    yield from examine("machine", "libraries", machine.libraries, means=ODD)
    yield from examine("machine", "openmp", machine.openmp, means=NO_INDEX)
    yield from examine("machine", "resources", partial(machine.resources, wanted.place), means=ODD)


def _open_index(folder: Path, opened: _Opened) -> list[Finding]:
    """Open the index; look at its files whether it opens or not."""
    found = examine("index", "opens", partial(index.opened, folder), means=NO_INDEX)
    if found[-1].level == "ok":
        opened.index = open_index(folder)
    if (folder / MANIFEST).is_file():
        found += examine("index", "files", partial(files.files, folder), means=NO_INDEX)
    return found


def _load(wanted: Wanted, opened: _Opened) -> Iterator[Finding]:
    """Find and load the model that is named, or that of the index, or the default one."""
    if wanted.model is None and wanted.index is not None and opened.index is None:
        return
    made = {} if opened.index is None else opened.index.manifest.encoder
    name = wanted.model or str(made.get("model", DEFAULT))
    revision = wanted.options.revision or (None if wanted.model or not made.get("revision") else str(made["revision"]))
    try:
        opened.was_here = is_here(name, revision=revision)
        opened.source = find_folder(name, revision=revision)
        if opened.index is not None:
            opened.encoder = load_contract_encoder(opened.index, options=wanted.options, model=wanted.model)
        else:
            opened.encoder = load_encoder(name, wanted.options)
    except UsageError:
        raise
    except (SearchappError, *BROKEN) as error:
        found = from_error("model", "loads", error, means=NO_MODEL)
        carried = wanted.model is None and opened.index is not None and opened.index.encoder_folder is not None
        yield replace(found, level="note", means=CARRIED) if carried else found
        return
    card = opened.encoder.card
    shown = f"{card.model}: {card.dim} dims, {card.pooling} pooling, {card.runtime} {card.dtype}"
    yield Finding(
        "model", "loads", "ok", shown, "", "", {"model": card.model, "dim": card.dim, "runtime": card.runtime}
    )


def _model(wanted: Wanted, opened: _Opened) -> Iterator[Finding]:
    source, encoder = opened.source, opened.encoder
    if source is None:
        return
    trusted, offline = wanted.options.trust_remote_code, os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    where = partial(model.place, source, was_here=opened.was_here, trusted=trusted, offline=offline)
    yield from examine("model", "offline", where, means=ODD)
    if encoder is None:
        return
    yield from examine("model", "precision", partial(precision.precision, source, encoder.card), means=NO_MODEL)
    yield from examine("model", "vectors", partial(spread.vectors, encoder), means=NO_MODEL)
    asked = partial(prompts.prompts, encoder, packaged=source.packaged, source=_prompt_source(opened.index))
    yield from examine("model", "prompts", asked, means=NO_MODEL)
    yield from examine("model", "length", partial(model.length, encoder), means="long texts stop an index run")


def _prompt_source(found: Index | None) -> str | None:
    """Return where the prompts of a contract came from; loaded by it, they look like an option."""
    made = None if found is None else found.manifest.encoder["prompts"]
    return str(made.get("source")) if isinstance(made, dict) and made.get("source") else None


def _index(opened: _Opened) -> Iterator[Finding]:
    found = opened.index
    if found is None:
        return
    yield from examine("index", "counts", partial(index.counts, found), means=NO_INDEX)
    yield from examine("index", "vectors", partial(index.vectors, found), means=NO_INDEX)
    yield from index.derived(found)
    yield from examine("index", "versions", partial(index.versions, found), means=ODD)
    if opened.encoder is not None:
        held = partial(contract.contract, found, opened.encoder)
        yield from examine("index", "contract", held, means="its hits would be nonsense, so query refuses it")
    yield from examine("index", "offline", partial(contract.readiness, found), means="a query without the model fails")


def _corpus(wanted: Wanted, path: str, opened: _Opened, progress: Progress) -> Iterator[Finding]:
    skipping = replace(wanted.reading, on_bad_row="skip")
    try:
        facts = read_facts(open_corpus(path, skipping), progress=lambda done: progress("reading", done, None))
    except UsageError:
        raise
    except (SearchappError, *BROKEN) as error:
        yield from_error("corpus", "opens", error, means=NO_CORPUS)
        return
    skips = wanted.reading.on_bad_row == "skip"
    yield from examine("corpus", "rows", partial(corpus.rows, facts, skips=skips), means=NO_CORPUS)
    yield from examine("corpus", "duplicates", partial(corpus.texts, facts), means=ODD)
    if opened.index is not None:
        yield from examine("corpus", "index", partial(corpus.belongs, facts, opened.index), means=ODD)
    if opened.encoder is not None and opened.source is not None:
        progress("embedding a sample", 0, None)
        yield from _cost(wanted, facts, opened.encoder, opened.source)


def _cost(wanted: Wanted, facts: CorpusFacts, encoder: Encoder, source: ModelFolder) -> Iterator[Finding]:
    dim, room = encoder.card.dim, cost.Room(machine.free_memory(), machine.free_disk(wanted.place))

    def lengths() -> Iterator[Finding]:
        counter = open_token_counter(source.path)
        return iter(()) if counter is None else corpus.lengths(facts, encoder, counter)

    def duration() -> Iterator[Finding]:
        return cost.duration(facts, cost.measure_rate(facts, encoder))

    yield from examine("corpus", "cut", lengths, means=NO_MODEL)
    yield from examine("corpus", "time", duration, means=NO_CORPUS)
    carried = estimate_encoder(source, encoder)
    yield from examine("corpus", "disk", partial(cost.space, facts, dim, room, encoder=carried), means=ODD)
    yield from examine("corpus", "memory", partial(cost.memory, facts, dim, room), means=ODD)
    yield from examine("corpus", "kinds", partial(cost.kinds, facts, dim), means=ODD)
