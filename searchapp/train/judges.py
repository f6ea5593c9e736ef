"""What `--eval` names becomes a judge: triplets, scored pairs, or queries with documents to find."""

from dataclasses import replace
from pathlib import Path

from searchapp.build import Progress, silent
from searchapp.corpus import (
    BadRows,
    ReadOptions,
    Task,
    open_dataset,
    read_scored_pairs,
    read_triplets,
    recognise_task,
)
from searchapp.corpus.rows import SKIP_ADVICE
from searchapp.judging.embedding import chosen_dims
from searchapp.train.judge import Judge
from searchapp.train.pairwise_judges import PairsJudge, TripletJudge
from searchapp.train.recipe import Recipe
from searchapp.train.retrieval_judge import RetrievalJudge, asked_of_dataset


def open_judge(
    path: str | Path,
    *,
    recipe: Recipe,
    width: int,
    options: ReadOptions = ReadOptions(),
    progress: Progress = silent,
) -> Judge:
    """Open the judge of a training; `width` is how wide the model's vectors are.

    A file of triplets or of scored pairs is known by its columns, a BEIR, ESCI or TREC folder and `irds:NAME` are
    judged by retrieval on their test split, with the data set's own gains and threshold. The recipe's `judge.task` says
    what else it is to be, its `judge.dims` or Matryoshka dims what is judged, `data.text` what a document's text is.

    Raises InputError where nothing can be judged on, UsageError for dims that are wider than the model and for a
    measure that the judge doesn't have.
    """
    spec = recipe.judge
    dims = chosen_dims(recipe.dims, width=width, model=recipe.model.base)
    task: Task = recognise_task(path) if spec.task == "auto" else spec.task
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    if task == "triplets":
        return TripletJudge(tuple(read_triplets(path, bad_rows)), spec=spec, dims=dims, progress=progress)
    if task == "pairs":
        return PairsJudge(tuple(read_scored_pairs(path, bad_rows)), spec=spec, dims=dims, progress=progress)
    reading = replace(options, text=recipe.data.text or options.text, split=None, store=())
    asked = asked_of_dataset(open_dataset(path, options=reading), progress)
    return RetrievalJudge(asked, spec=spec, dims=dims, progress=progress)
