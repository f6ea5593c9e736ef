"""`searchapp train`: fine-tune by a recipe."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import guarded, note, print_json
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.train.log import LogRow


@guarded
def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "-r",
            help="judgments, rotation, esci, allnli-matryoshka, swahili-matryoshka, e5-acronyms, static-matryoshka, "
            "FILE.toml.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Pairs or triplets (a file, a glob), or a BEIR or ESCI folder with judgments."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to make: models/NAME.")] = None,
    judged_on: Annotated[
        str | None,
        typer.Option("--eval", help="Triplets, scored pairs, pairs, or a folder with judgments to judge on."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="In place of the recipe's base: hub name, folder, or minilm."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="loss.scale=30: another value for a field of the recipe.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe as TOML and stop.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the trained model that is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start over instead of going on where a stopped call was.")
    ] = False,
    on_bad_row: options.OnBadRow = "error",
    locale: options.Locale = None,
    version: options.Version = None,
    revision: options.Revision = None,
    device: options.Device = None,
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON line for each row of the log, one for the end.")
    ] = False,
) -> None:
    """Train a model by a recipe, judge it on the way, and keep the best or the last.

    The folder appears whole or not at all, with a model card, the log, the recipe and a learning curve. Stopped or
    killed, the same call goes on from its last checkpoint and gives the same weights.

    Examples:

        searchapp train --recipe judgments --show

        searchapp train --recipe judgments --data data/sample --eval data/sample --out models/shop

        searchapp train --recipe esci --data ../data/esci --eval triplets-test.jsonl --out models/shop

        searchapp train --recipe e5-acronyms --model minilm --data pairs.csv --eval held-out.csv --out models/acronyms

        searchapp train --recipe mine.toml --data home_depot --eval home_depot --out models/depot
    """
    from searchapp.train.recipe_file import open_recipe, recipe_names, render_recipe

    if recipe is None:
        raise UsageError(f"a recipe is needed; type --recipe with one of {', '.join(recipe_names())}, or a FILE.toml")
    given = [*([] if model is None else [f"model.base={model}"]), *(settings or [])]
    opened = open_recipe(recipe, given)
    if show:
        typer.echo(render_recipe(opened), nl=False)
        return
    if data is None or out is None:
        raise UsageError(
            "rows and a place are needed; type: searchapp train --recipe NAME --data PATH --out models/NAME"
        )

    from searchapp.cli.assemble import ReadTexts, read_options
    from searchapp.cli.progress import ProgressBar
    from searchapp.cli.training import describe_end, describe_row, end_as_json, row_as_json
    from searchapp.corpus import holds_judgments
    from searchapp.train.processes import is_first, see_one_gpu
    from searchapp.train.run import Listeners, TrainOptions, train_model

    if (locale or version) and not any(path and holds_judgments(path) for path in (data, judged_on)):
        raise UsageError("--locale and --version go with ESCI folders, and none is named; leave them out")
    device = see_one_gpu(device, os.environ)
    reading = read_options(ReadTexts("auto", None, None, None, on_bad_row, locale, version))
    with ProgressBar() as bar:

        def tell(row: "LogRow") -> None:
            words = describe_row(row, opened.judge.measure)
            bar.say(words)
            if as_json:
                print_json(row_as_json(row))
            else:
                note(words)

        made = train_model(
            opened,
            data,
            out,
            judged_on=judged_on,
            options=TrainOptions(device, revision, trust_remote_code, overwrite, restart, reading),
            listeners=Listeners(bar, note, tell) if is_first() else Listeners(),
        )
    if not is_first():
        return
    if as_json:
        print_json(end_as_json(made))
    else:
        for line in describe_end(made):
            typer.echo(line)
