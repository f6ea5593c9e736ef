"""Fine-tuning on one's own judgments: the packaged MiniLM on Home Depot's train split, judged on its test split.

    python benchmarks/finetune.py [--data FOLDER] [--work FOLDER] [--set training.epochs=2 ...] [--save]

By the project's own commands: bench the model as it comes, train it by benchmarks/recipes/home-depot.toml, turn the
tuned model's vectors by the recipe `rotation`, bench again, compare query by query. The best step is kept by queries of
the train split that are set aside, with what was judged of them and some other titles to find; the test split is read
by the bench alone, and by a check that none of its queries
is trained on. With --work a call that was stopped goes on where it was.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import data_folder, save
from tuned import PRIMARY, RECIPES, bench, compare, log_of, read_lines, recipe_of, train, write_lines

DIMS = (384, 256, 128, 64, 32)
VALIDATION_QUERIES = 250
OTHER_TITLES = 1_500
"""Titles that nobody judged for these queries, to be found beside those that were."""
SEED = 7
ROWS = {"data.positive_grade": 5, "data.negatives": 0}
"""What of the tuning's recipe holds for turning, too."""
AIMS = {"gain": 0.15, "kept_128": 0.95, "kept_64": 0.90}


def prepare(dataset: Path, work: Path) -> dict[str, int]:
    """Write the train split as two BEIR folders, `rows` to train on and `validation`; return what went where."""
    header, *lines = (dataset / "qrels" / "train.tsv").read_text(encoding="utf-8").splitlines()
    texts = {one["_id"]: " ".join(one["text"].casefold().split()) for one in read_lines(dataset / "queries.jsonl")}
    asked = {texts[line.split("\t")[0]] for line in (dataset / "qrels" / "test.tsv").read_text().splitlines()[1:]}
    learnt = [line for line in lines if texts[line.split("\t")[0]] not in asked]
    queries = sorted({line.split("\t")[0] for line in learnt})
    drawn = random.Random(SEED)
    aside = set(drawn.sample(queries, VALIDATION_QUERIES))
    parts = {"train": [], "test": []}
    for line in learnt:
        parts["test" if line.split("\t")[0] in aside else "train"].append(line)
    titles = read_lines(dataset / "corpus.jsonl")
    judged = {line.split("\t")[1] for line in parts["test"]}
    others = {one["_id"] for one in drawn.sample([one for one in titles if one["_id"] not in judged], OTHER_TITLES)}
    found = [one for one in titles if one["_id"] in judged | others]
    for name, split, corpus in (("rows", "train", titles), ("validation", "test", found)):
        (work / name / "qrels").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dataset / "queries.jsonl", work / name / "queries.jsonl")
        write_lines(work / name / "corpus.jsonl", corpus)
        (work / name / "qrels" / f"{split}.tsv").write_text("\n".join([header, *parts[split]]) + "\n", encoding="utf-8")
    return {
        "train_judgments": len(parts["train"]),
        "train_queries": len(queries) - len(aside),
        "validation_queries": len(aside),
        "validation_titles": len(found),
        "judgments_left_out_for_a_test_query": len(lines) - len(learnt),
    }


def run(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    dataset = (args.data or data_folder()) / "home_depot"
    recipe = str(RECIPES / "home-depot.toml")
    split = prepare(dataset, work)
    before = bench(dataset, "minilm", work / "before", dims=DIMS, more=["--baselines", "random,bm25"])
    made = train(recipe, work / "rows", work / "validation", work / "model", args.set or ())
    turn = [f"model.base={work / 'model'}", *(f"{name}={value}" for name, value in ROWS.items())]
    turned = train("rotation", work / "rows", work / "validation", work / "turned", turn)
    without = ["--baselines", "none"]
    tuned = bench(dataset, str(work / "model"), work / "tuned", dims=DIMS, more=without)
    after = bench(dataset, str(work / "turned"), work / "after", dims=DIMS, more=without)
    reports = {"before": before, "tuned": tuned, "after": after}
    gained, by_turning = compare(work / "before", work / "after"), compare(work / "tuned", work / "after")
    dims = [
        _row(dim, {name: report.cell(f"d{dim}-flat") for name, report in reports.items()}, *found)
        for dim, *found in zip(DIMS, gained, by_turning, strict=True)
    ]
    full = dims[0]
    for row in dims:
        row |= {f"kept_{name}": round(row[name] / full[name], 4) for name in reports}
    kept = {row["dim"]: row["kept_after"] for row in dims}
    reached = {"gain": full["gain"], "kept_128": kept[128], "kept_64": kept[64]}
    return {
        **split,
        "documents": after.documents,
        "queries": after.counts["evaluated"],
        "measure": PRIMARY,
        "dims": dims,
        "baselines": {name: round(before.cell(name).measures[PRIMARY], 4) for name in ("random", "bm25")},
        "aims": AIMS,
        "reached": reached,
        "training_minutes": round(made.seconds / 60, 1),
        "turning_minutes": round(turned.seconds / 60, 1),
        "embedding_seconds": {
            name: None if found.models[0].embed_seconds is None else round(found.models[0].embed_seconds, 1)
            for name, found in reports.items()
        },
        "training_data": dict(made.about),
        "log": log_of(made),
        "recipe": recipe_of(made),
        "log_of_turning": log_of(turned),
        "recipe_of_turning": recipe_of(turned).replace(str(work / "model"), "the tuned model"),
    }


def _row(dim: int, cells: dict[str, Any], gained: Any, by_turning: Any) -> dict[str, Any]:
    values = {name: cell.measures[PRIMARY] for name, cell in cells.items()}
    return {
        "dim": dim,
        **{name: round(value, 4) for name, value in values.items()},
        "gain": round(values["after"] / values["before"] - 1, 4),
        "against_before": _test(gained),
        "against_tuned": _test(by_turning),
        "judged@10": {name: round(cell.measures["Judged@10"], 4) for name, cell in cells.items()},
    }


def _test(found: Any) -> dict[str, Any]:
    return {
        "interval": [round(bound, 4) for bound in found["interval"]],
        "p_holm": found["p_holm"],
        "wins_ties_losses": [found["wins"], found["ties"], found["losses"]],
    }


def show(result: dict[str, Any]) -> None:
    print(
        f"{'':>4} {'before':>16} {'tuned':>16} {'turned':>16} {'gain':>8} {'p':>7}  W/T/L against before, against tuned"
    )
    for row in result["dims"]:
        values = " ".join(f"{row[name]:8.4f} {row[f'kept_{name}']:7.1%}" for name in ("before", "tuned", "after"))
        tests = [row["against_before"], row["against_tuned"]]
        counts = ", ".join("/".join(map(str, one["wins_ties_losses"])) for one in tests)
        print(f"{row['dim']:4} {values} {row['gain']:+8.1%} {tests[0]['p_holm']:7.4f}  {counts}")
    reached, aims = result["reached"], result["aims"]
    print("; ".join(f"{name} {reached[name]:.3f} (aim {aims[name]:.2f})" for name in aims))
    data = result["training_data"]
    print(
        f"{data['rows']:,} rows, {data['leaked']:,} left out as leaks, {data['documents_shared']:,} documents shared; "
        f"trained and judged in {result['training_minutes']} minutes, turned in {result['turning_minutes']}; bm25 "
        f"{result['baselines']['bm25']:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the public data (default: SEARCHAPP_DATA)")
    parser.add_argument("--work", type=Path, help="keep model and results here (default: a folder that is gone)")
    parser.add_argument("--set", action="append", help="another value for a field of the recipe: training.epochs=2")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/finetune.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        result = run(args, work)
    show(result)
    if args.save:
        save("finetune", result)


if __name__ == "__main__":
    main()
