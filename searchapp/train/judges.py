"""What `--eval` names becomes a judge: triplets, scored pairs, or queries with documents to find."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from searchapp.build import Progress, silent
from searchapp.corpus import (
    BadRows,
    ReadOptions,
    Task,
    holds_judgments,
    open_dataset,
    read_anchors,
    read_scored_pairs,
    read_triplets,
    recognise_task,
)
from searchapp.corpus.rows import SKIP_ADVICE
from searchapp.errors import InputError
from searchapp.judging.embedding import chosen_dims
from searchapp.records import Triplet
from searchapp.train.data import columns_of
from searchapp.train.draft import PromptStripper
from searchapp.train.judge import Judge
from searchapp.train.pairwise_judges import PairsJudge, TripletJudge
from searchapp.train.recipe import DataSpec, Recipe
from searchapp.train.retrieval_judge import Asked, RetrievalJudge, asked_of_dataset, asked_of_pairs


def open_judge(
    path: str | Path,
    *,
    recipe: Recipe,
    width: int,
    options: ReadOptions = ReadOptions(),
    progress: Progress = silent,
) -> Judge:
    """Open the judge of a training; `width` is how wide the model's vectors are.

    A BEIR, ESCI or TREC folder and `irds:NAME` are judged by retrieval on their test split, with the data set's own
    gains and threshold. Files are known by their columns: triplets, scored pairs, or rows of an anchor and a positive,
    which are judged by retrieval: every anchor asks for its positives among those of all rows. The recipe's
    `judge.task` says what else it is to be, its `judge.dims` or Matryoshka dims what is judged, its `data` templates
    what texts are. Texts that begin with their prompt lose it here, as the encoder puts it before all of them, once.

    Raises InputError where nothing can be judged on, MeasureError for scores that are all the same, UsageError for dims
    that are wider than the model and for a measure that the judge doesn't have.
    """
    spec = recipe.judge
    dims = chosen_dims(recipe.dims, width=width, model=recipe.model.base)
    task = _recognise(path, recipe.data) if spec.task == "auto" else spec.task
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    if task == "pairs":
        return PairsJudge(tuple(read_scored_pairs(path, bad_rows)), spec=spec, dims=dims, progress=progress)
    if task == "triplets":
        triplets = _stripped(_read_triplets(path, recipe.data, bad_rows), recipe)
        return TripletJudge(tuple(triplets), spec=spec, dims=dims, progress=progress)
    return RetrievalJudge(_ask(path, recipe, options, progress), spec=spec, dims=dims, progress=progress)


def _recognise(path: str | Path, spec: DataSpec) -> Task:
    """Tell what a path is judged as, by its first row where its columns don't say."""
    if holds_judgments(path):
        return "retrieval"
    if not Path(path).is_dir():
        try:
            return recognise_task(path)
        except InputError:
            # Rows of an anchor and a positive are no task of the bench's; if it is none of those, reading them says so.
            pass
    first = next(read_anchors(path, columns_of(spec)))
    return "triplets" if first.negatives else "retrieval"


def _read_triplets(path: str | Path, spec: DataSpec, bad_rows: BadRows) -> Iterator[Triplet]:
    if not (spec.anchor or spec.positive or spec.negative):
        yield from read_triplets(path, bad_rows)
        return
    for number, triplet in enumerate(read_anchors(path, columns_of(spec), bad_rows), 1):
        if not triplet.negatives:
            raise InputError(
                f"row {number:,} of {path} has no negative, so there is nothing to tell its positive from; judge by "
                "retrieval: --set judge.task=retrieval"
            )
        yield triplet


def _ask(path: str | Path, recipe: Recipe, options: ReadOptions, progress: Progress) -> Asked:
    if holds_judgments(path):
        reading = replace(options, text=recipe.data.text or options.text, split=None, store=())
        return asked_of_dataset(open_dataset(path, options=reading), progress)
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    return asked_of_pairs(tuple(_stripped(read_anchors(path, columns_of(recipe.data), bad_rows), recipe)))


def _stripped(rows: Iterator[Triplet], recipe: Recipe) -> Iterator[Triplet]:
    stripper = PromptStripper(recipe.prompts)
    for row in rows:
        negatives = tuple(stripper.document(text) for text in row.negatives)
        yield Triplet(stripper.anchor(row.anchor), stripper.document(row.positive), negatives)
