"""What is trained on, from files of pairs and triplets or straight from judgments."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from searchapp.corpus import (
    AnchorColumns,
    BadRows,
    ReadOptions,
    holds_judgments,
    read_anchors,
)
from searchapp.corpus.formats import path_name
from searchapp.corpus.rows import SKIP_ADVICE
from searchapp.corpus.template import Template
from searchapp.prompts import Prompts
from searchapp.train.draft import Draft, PromptStripper, group_relevant
from searchapp.train.examples import Example, TrainingData
from searchapp.train.fingerprint import fingerprint_rows
from searchapp.train.judgments import TRAIN, open_judgments, read_judgments
from searchapp.train.negatives import level_negatives
from searchapp.train.recipe import DataSpec


def read_training_data(
    path: str | Path,
    *,
    spec: DataSpec,
    prompts: Prompts,
    options: ReadOptions = ReadOptions(),
    progress: Callable[[int], None] | None = None,
) -> TrainingData:
    """Read the rows of a training.

    A file, a glob or a folder of pairs and triplets is read as `read_anchors` does, with the templates of the spec; a
    BEIR, ESCI or TREC folder and `irds:NAME` as `read_judgments` does. The text of a document is `spec.text`, where it
    is given, in place of that of `options`, which say the rest: what becomes of bad rows, an ESCI locale. Texts that
    begin with the prompt of their column lose it here, as the trainer puts it before all of them, once. Negatives are
    made as many in every row, see `level_negatives`.

    `about` holds `source`, `kind` (rows, or the data set's format), and counts: `rows`, `anchors` (different ones),
    `negatives` (of a row), `skipped` (bad rows), `prompts_stripped` (texts), `negatives_relevant`, `negatives_filled`,
    `rows_without_negatives`; of judgments also what `read_judgments` counts.

    Raises InputError where there is nothing to train on, RowError at the first bad row unless those are skipped,
    UsageError for a template that is none.
    """
    stripper = PromptStripper(prompts)
    if holds_judgments(path):
        options = replace(options, text=spec.text or options.text, store=())
        dataset = open_judgments(path, None if spec.split == TRAIN else spec.split, options)
        name, kind = dataset.name, dataset.format
        draft = read_judgments(dataset, spec, stripper, progress)
        skipped = (dataset.skipped + dataset.corpus.skipped).count
    else:
        bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
        name, kind = path_name(path), "rows"
        draft = _read_rows(path, spec, stripper, bad_rows)
        skipped = bad_rows.skipped.count
    about: dict[str, str | int] = {
        "source": name,
        "kind": kind,
        "skipped": skipped,
        "prompts_stripped": stripper.stripped,
    }
    return _finish(name, draft, spec.negatives, about)


def columns_of(spec: DataSpec) -> AnchorColumns:
    """Return the templates of rows. Raises UsageError for one that is none."""
    return AnchorColumns(
        _template(spec.anchor, "data.anchor"),
        _template(spec.positive, "data.positive"),
        _template(spec.negative, "data.negative"),
    )


def retold(data: TrainingData, examples: list[Example], about: dict[str, str | int]) -> TrainingData:
    """Return the data with other rows, counted and fingerprinted anew, and more told about them."""
    counts = {"rows": len(examples), "anchors": len({example.anchor for example in examples})}
    about = {**data.about, **counts, **about}
    return replace(data, examples=examples, about=about, fingerprint=fingerprint_rows(examples))


def _finish(name: str, draft: Draft, negatives: int, about: dict[str, str | int]) -> TrainingData:
    levelled = level_negatives(draft.examples, draft.relevant, negatives)
    counts: dict[str, str | int] = {
        "negatives": levelled.negatives,
        "negatives_relevant": levelled.relevant,
        "negatives_filled": levelled.filled,
        "rows_without_negatives": levelled.dropped,
    }
    bare = TrainingData(name, levelled.examples, draft.relevant, {**about, **draft.about})
    return retold(bare, levelled.examples, counts)


def _read_rows(path: str | Path, spec: DataSpec, stripper: PromptStripper, bad_rows: BadRows) -> Draft:
    examples = [
        Example(
            stripper.anchor(row.anchor),
            stripper.document(row.positive),
            tuple(stripper.document(text) for text in row.negatives),
        )
        for row in read_anchors(path, columns_of(spec), bad_rows)
    ]
    return Draft(examples, group_relevant((one.anchor, one.positive) for one in examples))


def _template(source: str, option: str) -> Template | None:
    return Template.parse(source, option=f"--set {option}") if source else None
