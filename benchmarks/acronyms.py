"""Acronyms: MiniLM tuned by the E5 recipe on half of the telecom abbreviations, judged on the other half.

    python benchmarks/acronyms.py [--data FOLDER] [--work FOLDER] [--set training.epochs=3 ...] [--validate] [--save]

Both directions, as the reference card has them: an abbreviation asks for its expansion, an expansion for its
abbreviation, all among the same passages, where what is asked also stands as what somebody else asks for; and each
direction among its own passages alone. The prompts are part of the texts. Pairs are split, never rows: no pair is on
both sides. --validate cuts the training half in two and leaves the other half unread: settings are chosen by it.
"""

import argparse
import csv
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import data_folder, save
from tuned import bench, compare, log_of, recipe_of, train, write_lines

SEED = 42
SETTINGS: tuple[str, ...] = (
    "training.learning_rate=2e-4",
    "training.epochs=10",
    "model.max_seq_length=64",
)
"""What is not the recipe's own: chosen by --validate."""
MEASURES = {
    "accuracy@1": "cosine_accuracy@1",
    "accuracy@3": "cosine_accuracy@3",
    "accuracy@5": "cosine_accuracy@5",
    "accuracy@10": "cosine_accuracy@10",
    "nDCG@10": "cosine_ndcg@10",
    "RR@10": "cosine_mrr@10",
    "AP@100": "cosine_map@100",
}
"""Ours and, as the reference card prints them, sentence-transformers' names."""
ALL = "both-ways"
DIRECTIONS = ("to-expansion", "to-abbreviation")

Pair = tuple[str, str]


def read_pairs(path: Path) -> tuple[list[Pair], dict[str, int]]:
    """Read the pairs, each once, and count what was left out: rows headed like a paragraph ("NOTE 1:"), and repeats."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [(row["abbreviation"].strip(), row["expansion"].strip()) for row in csv.DictReader(lines)]
    kept = [row for row in rows if all(row) and not row[0].endswith(":")]
    pairs = list(dict.fromkeys(kept))
    return pairs, {"rows": len(rows), "headings_left_out": len(rows) - len(kept), "repeats": len(kept) - len(pairs)}


def halve(pairs: Sequence[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into halves; what shares an abbreviation or an expansion, whatever its case, goes to one side."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        joined = [pair]
        for text in map(str.casefold, pair):
            there = groups.get(text, [])
            joined = there + [one for one in joined if one not in there]
        for text in [text.casefold() for one in joined for text in one]:
            groups[text] = joined
    different = list({id(group): group for group in groups.values()}.values())
    random.Random(seed).shuffle(different)
    halves: tuple[list[Pair], list[Pair]] = ([], [])
    for group in different:
        halves[len(halves[0]) > len(halves[1])].extend(group)
    return halves


def rows_of(pair: Pair) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the anchor and the positive of both directions."""
    short, long = pair
    return (f"query: {short}", f"passage: {long} (expansion)"), (f"query: {long}", f"passage: {short} (abbreviation)")


def write_dataset(folder: Path, pairs: Sequence[Pair], directions: Sequence[str]) -> None:
    """Write what is judged on as a BEIR folder."""
    queries: dict[str, str] = {}
    passages: dict[str, str] = {}
    judged: dict[tuple[str, str], None] = {}
    for pair in pairs:
        for direction, (query, passage) in zip(DIRECTIONS, rows_of(pair), strict=True):
            if direction in directions:
                asked = queries.setdefault(query, f"q{len(queries)}")
                found = passages.setdefault(passage, f"p{len(passages)}")
                judged[asked, found] = None
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    write_lines(folder / "queries.jsonl", [{"_id": one, "text": text} for text, one in queries.items()])
    write_lines(folder / "corpus.jsonl", [{"_id": one, "title": "", "text": text} for text, one in passages.items()])
    lines = ["query-id\tcorpus-id\tscore", *(f"{query}\t{passage}\t1" for query, passage in judged)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def judge(work: Path, name: str, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a model measures in all three data sets, and what needs no model: random and BM25."""
    found: dict[str, Any] = {}
    others: dict[str, Any] = {"random": {}, "bm25": {}}
    for part in (ALL, *DIRECTIONS):
        report = bench(work / "held-out" / part, model, work / name / part, dims=[384])
        found[part] = _measures(report.cell("d384-flat"))
        for baseline, parts in others.items():
            parts[part] = _measures(report.cell(baseline))
    return found, others


def _measures(cell: Any) -> dict[str, float]:
    return {name: round(cell.measures[ours], 4) for ours, name in MEASURES.items()}


def run(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    pairs, counts = read_pairs((args.data or data_folder()) / "telecom" / "abbreviations.csv")
    learnt, asked = halve(pairs, SEED)
    if args.validate:
        learnt, asked = halve(learnt, SEED + 1)
    rows = [{"anchor": query, "positive": passage} for pair in learnt for query, passage in rows_of(pair)]
    write_lines(work / "train.jsonl", rows)
    for part, directions in ((ALL, DIRECTIONS), *((one, (one,)) for one in DIRECTIONS)):
        write_dataset(work / "held-out" / part, asked, directions)
    settings = ["model.base=minilm", *SETTINGS, *(args.set or ())]
    made = train("e5-acronyms", work / "train.jsonl", work / "held-out" / ALL, work / "model", settings)
    before, others = judge(work, "before", "minilm")
    after, _ = judge(work, "after", str(work / "model"))
    tests = compare(work / "before" / ALL, work / "after" / ALL, tuple(MEASURES))
    return {
        "pairs": len(pairs),
        **counts,
        "training_pairs": len(learnt),
        "held_out_pairs": len(asked),
        "seed": SEED,
        "settings": settings,
        "training_minutes": round(made.seconds / 60, 1),
        "training_data": dict(made.about),
        **others,
        "before": before,
        "after": after,
        "tests": {
            MEASURES[row["measure"]]: {
                "difference": round(row["difference"], 4),
                "interval": [round(bound, 4) for bound in row["interval"]],
                "p_holm": row["p_holm"],
                "wins_ties_losses": [row["wins"], row["ties"], row["losses"]],
            }
            for row in tests
        },
        "log": log_of(made),
        "recipe": recipe_of(made),
    }


def show(result: dict[str, Any]) -> None:
    columns = ("random", "bm25", "before", "after")
    for part in (ALL, *DIRECTIONS):
        print(f"{part:28}" + "".join(f"{name:>9}" for name in columns))
        for name in MEASURES.values():
            print(f"  {name:26}" + "".join(f"{result[column][part][name]:9.4f}" for column in columns))
    test = result["tests"]["cosine_ndcg@10"]
    print(
        f"nDCG@10 both ways {test['difference']:+.4f}, p {test['p_holm']:.4f}; {result['training_pairs']} pairs learnt "
        f"and {result['held_out_pairs']} asked both ways; trained and judged in {result['training_minutes']} minutes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the public data (default: SEARCHAPP_DATA)")
    parser.add_argument("--work", type=Path, help="keep rows, model and results here (default: a folder that is gone)")
    parser.add_argument("--set", action="append", help="another value for a field of the recipe: loss.scale=30")
    parser.add_argument("--validate", action="store_true", help="halve the training half; the other half isn't read")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/acronyms.json")
    args = parser.parse_args()
    if args.validate and args.save:
        parser.error("--validate measures what settings are chosen by, which is no result; leave --save away")
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        result = run(args, work)
    show(result)
    if args.save:
        save("acronyms", result)


if __name__ == "__main__":
    main()
