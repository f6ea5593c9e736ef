"""The log of a training."""

from pathlib import Path

from searchapp.train.log import LogRow, append_row, best_step, keep_rows, read_rows, write_rows

ROWS = [
    LogRow(0.0, 0, measures={"dim_64_cosine_ndcg@10": 0.9}),
    LogRow(0.5, 10, 2.5, measures={"dim_64_cosine_ndcg@10": 0.4}, learning_rate=1e-5, seconds=1.5),
    LogRow(0.75, 15, 2.25),
    LogRow(1.0, 20, 2.0, 2.1, measures={"dim_64_cosine_ndcg@10": 0.5}),
    LogRow(1.5, 30, 1.0, 2.0, measures={"dim_64_cosine_ndcg@10": 0.5}),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_rows(path) == []
    for row in ROWS:
        append_row(path, row)
    assert read_rows(path) == ROWS


def test_a_torn_line_is_left_out_and_the_next_row_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_rows(path, ROWS[:2])
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert read_rows(path) == ROWS[:1]
    append_row(path, ROWS[3])
    assert read_rows(path) == [ROWS[0], ROWS[3]]


def test_rows_behind_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    keep_rows(path, until=3)
    assert not path.exists()
    write_rows(path, ROWS)
    keep_rows(path, until=15)
    assert read_rows(path) == ROWS[:3]
    keep_rows(path, until=0)
    assert read_rows(path) == []


def test_the_best_is_the_first_of_the_highest_and_never_the_base() -> None:
    assert best_step(ROWS, "dim_64_cosine_ndcg@10") == 20
    assert best_step(ROWS, "dim_32_cosine_ndcg@10") is None
    assert best_step(ROWS[:1], "dim_64_cosine_ndcg@10") is None
