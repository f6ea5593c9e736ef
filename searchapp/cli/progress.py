"""How far a command is, on standard error."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(TextColumn):
    """Documents, or steps, a second, as far as known."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.{int(task.speed < 10)}f}/s" if task.speed else "")


class ProgressBar:
    """Shows how far each stage is, with rate and time left; on standard error, and only if that is a terminal."""

    def __init__(self) -> None:
        err = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"),
            console=err,
            disable=not err.is_terminal,
            transient=True,
        )
        self._stage = self._said = ""
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """Move the bar of a stage; a new stage takes the place of the one before."""
        if stage != self._stage:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._stage, self._task = stage, self._bars.add_task(stage, total=total, said=self._said)
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, said=self._said)

    def say(self, words: str) -> None:
        """Show words behind the bar from now on."""
        self._said = words
