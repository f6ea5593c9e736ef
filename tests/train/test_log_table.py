"""The log as a table: sentence-transformers' own of the same numbers."""

from typing import Any

from searchapp.train.log import LogRow
from searchapp.train.log_table import render_log

ROWS = [
    LogRow(0.0, 0, measures={"dim_64_cosine_ndcg@10": 0.25, "dim_64_cosine_map@100": 0.2, "dim_8_cosine_ndcg@10": 0.1}),
    LogRow(0.5, 10, 2.51234),
    LogRow(1.0, 20, 2.0, measures={"dim_64_cosine_ndcg@10": 0.5, "dim_8_cosine_ndcg@10": 1.0}),
]
MEASURE = "dim_64_cosine_ndcg@10"


def test_every_dim_has_a_column_and_the_kept_row_is_bold() -> None:
    assert render_log(ROWS, measure=MEASURE, best=20) == (
        "| Epoch      | Step   | Training Loss | dim_64_cosine_ndcg@10 | dim_8_cosine_ndcg@10 |\n"
        "|:-----------|:-------|:--------------|:----------------------|:---------------------|\n"
        "| 0.0000     | 0      | -             | 0.2500                | 0.1000               |\n"
        "| 0.5000     | 10     | 2.5123        | -                     | -                    |\n"
        "| **1.0000** | **20** | **2.0000**    | **0.5000**            | **1.0000**           |"
    )


def test_validation_loss_has_a_column_where_there_is_any() -> None:
    rows = [*ROWS[:2], LogRow(1.0, 20, 2.0, 2.125)]
    assert render_log(rows, measure=None, best=10).splitlines() == [
        "| Epoch      | Step   | Training Loss | Validation Loss |",
        "|:-----------|:-------|:--------------|:----------------|",
        "| 0.0000     | 0      | -             | -               |",
        "| **0.5000** | **10** | **2.5123**    | **-**           |",
        "| 1.0000     | 20     | 2.0000        | 2.1250          |",
    ]


def test_of_two_rows_of_one_step_the_last_is_bold() -> None:
    rows = [LogRow(1.0, 10, 2.0), LogRow(1.0, 10, None, 2.5)]
    lines = render_log(rows, measure=None, best=10).splitlines()
    assert ["**" in line for line in lines] == [False, False, False, True]


def test_columns_and_bold_rows_are_sentence_transformers() -> None:
    from sentence_transformers.sentence_transformer.model_card import SentenceTransformerModelCardData

    card: Any = SentenceTransformerModelCardData()
    rows = [*ROWS[:2], LogRow(1.0, 20, 2.0, 2.125, measures=ROWS[2].measures)]
    names = [name for name in rows[0].measures if "ndcg" in name]
    for row in rows:
        pairs = {"Epoch": row.epoch, "Step": row.step, "Training Loss": row.loss, "Validation Loss": row.eval_loss}
        pairs |= {name: row.measures.get(name) for name in names}
        card.training_logs.append({name: value for name, value in pairs.items() if value is not None})
    card.set_best_model_step(20)
    theirs = [_cells(line) for line in card.format_training_logs()["eval_lines"].splitlines()]
    ours = [_cells(line) for line in render_log(rows, measure=MEASURE, best=20).splitlines()]
    assert ours[0] == theirs[0]
    assert [[_plain(cell) for cell in row] for row in ours[2:]] == [
        [_plain(cell) for cell in row] for row in theirs[2:]
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _plain(cell: str) -> tuple[bool, float | str]:
    """Return whether a cell is bold, and its number."""
    text = cell.strip("*")
    return cell.startswith("**"), text if text == "-" else round(float(text), 4)
