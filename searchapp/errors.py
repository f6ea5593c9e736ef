"""The whole error tree.

    SearchappError                what a person can act on; the command line prints its text and nothing more
    |- UsageError                 the call itself is wrong: options that don't go together, an unknown name
    |- MissingExtraError          an optional library is not installed; the text holds the line to type
    |- InputError                 a corpus, query, qrels or run file can't be read as what it should be
    |  |- RowError                one row of it, with path:line
    |- ModelError                 a model can't be loaded
    |  |- BadVectorsError         it loads, but its vectors are NaN, zero or all the same
    |- IndexFolderError           the folder is not an index, is damaged, or is in the way
    |  |- ContractError           the index was made with another model, prompt or setting
    |- TrainingError              a training can't begin or go on
    |  |- TrainingStoppedError    it went on, and what came of it was no model: NaN, a loss that stands still, collapse
    |- MeasureError               a number that can't be computed: unknown measure, no judgments

Every text says what was found, what was expected and what to type next.
"""


class SearchappError(Exception):
    """What a person can act on."""


class UsageError(SearchappError):
    """The call itself is wrong."""


class MissingExtraError(SearchappError):
    """An optional library is not installed."""


class InputError(SearchappError):
    """A file can't be read as what it should be."""


class RowError(InputError):
    """One row of a file is bad.

    `where` is its path:line, `reason` what was found and expected, without the place.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class ModelError(SearchappError):
    """A model can't be loaded."""


class BadVectorsError(ModelError):
    """A model's vectors can't be searched with."""


class IndexFolderError(SearchappError):
    """A folder is not an index, is damaged, or is in the way."""


class ContractError(IndexFolderError):
    """An index was made with another model, prompt or setting."""


class TrainingError(SearchappError):
    """A training can't begin or go on."""


class TrainingStoppedError(TrainingError):
    """A guard stopped a training.

    `step` is where, `last_good` the last step after which the weights are known to have been good; 0 for none but
    those it began with.
    """

    def __init__(self, text: str, step: int, last_good: int) -> None:
        super().__init__(text)
        self.step = step
        self.last_good = last_good


class MeasureError(SearchappError):
    """A number that can't be computed."""
