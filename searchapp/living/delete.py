"""Deleting documents: their rows stay where they are and are passed over from then on."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from searchapp.errors import InputError, UsageError
from searchapp.index import Index, Manifest, open_index
from searchapp.index.changing import Held, holding, sum_up
from searchapp.index.choosing import rows_fulfilling
from searchapp.index.documents import DocumentStore
from searchapp.index.vectors import Rows
from searchapp.index.where import parse_condition
from searchapp.living.change import Change, changed_corpus
from searchapp.living.grow import NAMED, Note, replace_deleted

Choose = Callable[[Index], Rows]
"""Gives the first rows of the documents to delete, int64, ascending."""


def rows_of(doc_ids: Sequence[str], *, missing_ok: bool = False) -> Choose:
    """Choose the documents of these ids; an id that the index lacks raises InputError unless `missing_ok`."""

    def choose(index: Index) -> Rows:
        found = index.documents.rows(doc_ids)
        missing = [doc_id for doc_id in dict.fromkeys(doc_ids) if doc_id not in found]
        if missing and not missing_ok:
            raise InputError(
                f"{index.folder} has no documents of {len(missing):,} of these ids, such as "
                f"{', '.join(missing[:NAMED])}; check them, or type --missing-ok to pass over such ids"
            )
        return np.sort(np.array(list(found.values()), dtype=np.int64))

    return choose


def rows_where(condition: str) -> Choose:
    """Choose the documents whose stored fields fulfil a condition; see searchapp/index/where.py.

    Raises UsageError for a condition that can't be read.
    """
    parsed = parse_condition(condition)

    def choose(index: Index) -> Rows:
        documents = index.living_documents()
        chosen: Rows = documents[np.isin(documents, rows_fulfilling(index.documents, parsed))]
        return chosen

    return choose


def delete_documents(
    index: Index,
    choose: Choose,
    *,
    call: str,
    all_of_them: bool = False,
    restart: bool = False,
    note: Note | None = None,
) -> Change:
    """Delete the documents that `choose` finds, in one change; readers that have the index open keep their version.

    call: says what is asked for, the same for the same call. Raises UsageError where no document would be left, unless
    `all_of_them`, and what `choose` and `add_documents` raise.
    """
    done = sum_up(["delete", call])
    with holding(index.folder) as work:
        if work.was_placed(done):
            if note is not None:
                note(f"{index.folder}: this was finished by the call before")
            return Change(open_index(index.folder), already_done=True)
        held = Held(open_index(index.folder), work)
        rows = choose(held.index)
        check_left(held.index, rows, all_of_them=all_of_them)
        if not len(rows):
            return Change(held.index)
        held.begin({"operation": "delete", "documents": call}, restart=restart)
        changed = held.commit(_describe(held, rows), done)
    return Change(changed, deleted=len(rows))


def check_left(index: Index, rows: Rows, *, all_of_them: bool) -> None:
    """Raise UsageError where deleting these documents leaves none, unless that is meant."""
    if len(rows) and len(rows) == len(index) and not all_of_them:
        raise UsageError(
            f"this would delete all {len(index):,} documents of {index.folder}; type the same call with "
            "--all-documents if that is meant"
        )


def _describe(held: Held, rows: Rows) -> Manifest:
    index, base = held.index, held.index.manifest
    files = dict(base.files)
    gone = np.union1d(index.deleted, index.documents.sieve.spread(rows))
    deleted = replace_deleted(held, gone, files)
    paths = [held.work.target / shard.documents for shard in base.shards]
    counts = DocumentStore(paths, deleted=gone, chunked=base.chunk_overlap is not None).counts()
    return dataclasses.replace(
        base,
        corpus=changed_corpus(base, "delete", sum_up(index.documents.ids(rows))),
        counts={**counts, "skipped": base.counts["skipped"]},
        files=files,
        deleted=deleted,
        generation=held.generation,
    )
