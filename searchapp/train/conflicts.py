"""Which rows may not meet in a batch: every other row's texts are negatives there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

Key = tuple[str, int]
"""What keeps a row out of a batch: ("text", t) keeps out every row that holds text t, ("anchor", a) every row whose
anchor is a."""

_NOBODY: frozenset[int] = frozenset()


class Conflicts:
    """Rows of texts as numbers, and who is known to be relevant to whom among them.

    rows: of each row its texts, the anchor first. relevant: anchor -> texts relevant to it; those in no row don't
    matter. Two rows conflict if a text is in both, or if one holds a text that is relevant to the other's anchor.
    """

    def __init__(self, rows: Iterable[Sequence[str]], relevant: Mapping[str, frozenset[str]]) -> None:
        numbers: dict[str, int] = {}
        self.texts = [tuple(numbers.setdefault(text, len(numbers)) for text in row) for row in rows]
        self.relevant: dict[int, frozenset[int]] = {}
        self.anchors: dict[int, frozenset[int]] = {}
        self._learn(numbers, relevant)

    def __len__(self) -> int:
        return len(self.texts)

    def _learn(self, numbers: Mapping[str, int], relevant: Mapping[str, frozenset[str]]) -> None:
        """Fill `relevant` (anchor -> texts) and `anchors` (text -> anchors) with what equal texts don't say already.

        A text that is in rows of one anchor alone can't meet it in another row: those rows hold the anchor too.
        """
        sole: dict[int, int | None] = {}
        for anchor, *others in self.texts:
            for text in (anchor, *others):
                sole[text] = anchor if sole.setdefault(text, anchor) == anchor else None
        inverse: defaultdict[int, set[int]] = defaultdict(set)
        for anchor in {row[0]: None for row in self.texts}:
            self.relevant[anchor] = _NOBODY
        for name, texts in relevant.items():
            its = numbers.get(name)
            if its not in self.relevant:
                continue
            known = (numbers[text] for text in texts if text in numbers)
            found = frozenset(text for text in known if sole[text] != its)
            self.relevant[its] = found
            for text in found:
                inverse[text].add(its)
        self.anchors = {text: frozenset(anchors) for text, anchors in inverse.items()}


class Batch:
    """The texts and anchors of the rows that are in a batch so far."""

    def __init__(self, conflicts: Conflicts) -> None:
        self._conflicts = conflicts
        self._texts: set[int] = set()
        self._anchors: set[int] = set()

    def add(self, row: int) -> None:
        """Take a row in."""
        texts = self._conflicts.texts[row]
        self._texts.update(texts)
        self._anchors.add(texts[0])

    def blocker(self, row: int) -> Key | None:
        """Return what keeps a row out, or None."""
        texts = self._conflicts.texts[row]
        for text in texts:
            if self.blocks(("text", text)):
                return "text", text
        key = ("anchor", texts[0])
        return key if self.blocks(key) else None

    def blocks(self, key: Key) -> bool:
        """Tell whether this keeps rows out."""
        kind, number = key
        if kind == "anchor":
            return not self._conflicts.relevant[number].isdisjoint(self._texts)
        return number in self._texts or not self._conflicts.anchors.get(number, _NOBODY).isdisjoint(self._anchors)
