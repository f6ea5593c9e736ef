"""Files to read, written where a test can break them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str, str | bytes], Path]
WriteRows = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write text or bytes to a file of the test's folder."""

    def _write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return _write


@pytest.fixture
def write_rows(write: Write) -> WriteRows:
    """Write objects as JSON lines."""

    def _write_rows(name: str, *rows: object) -> Path:
        return write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    return _write_rows
