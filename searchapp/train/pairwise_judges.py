"""Judges on triplets and on scored pairs: the numbers of `bench`, at every dim, without intervals."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from searchapp.build import Progress, silent
from searchapp.encoders import Encoder
from searchapp.errors import MeasureError
from searchapp.judging.embedding import Embedder
from searchapp.judging.fingerprint import fingerprint
from searchapp.judging.pairwise import PAIRS_PRIMARY, TRIPLETS_PRIMARY, embed_pairs, embed_triplets
from searchapp.metrics import check_gold, correlations, triplet_accuracy
from searchapp.records import ScoredPair, Triplet
from searchapp.train.examples import Example
from searchapp.train.judge import Measures
from searchapp.train.keys import PAIRS_KEYS, TRIPLET_KEYS
from searchapp.train.names import name_judge
from searchapp.train.recipe import JudgeSpec


class TripletJudge:
    """Judges the share of triplets whose positive is nearer to the anchor than every negative.

    Keys are those of sentence-transformers' TripletEvaluator. Raises MeasureError for no triplets, UsageError for a
    measure that is none of them.
    """

    task = "triplets"

    def __init__(
        self, triplets: Sequence[Triplet], *, spec: JudgeSpec, dims: Sequence[int], progress: Progress = silent
    ) -> None:
        if not triplets:
            raise MeasureError("there are no triplets to judge on; give one or more")
        self.names = name_judge(spec, dims, keys=TRIPLET_KEYS, usual=TRIPLETS_PRIMARY)
        self.measure = self.names.measure
        self.queries = tuple(dict.fromkeys(one.anchor for one in triplets))
        texts = (text for one in triplets for text in (one.positive, *one.negatives))
        self.documents = tuple(dict.fromkeys(texts))
        least = min(len(one.negatives) for one in triplets)
        self.examples = tuple(Example(one.anchor, one.positive, one.negatives[:least]) for one in triplets)
        self._triplets = triplets
        self._progress = progress

    @cached_property
    def fingerprint(self) -> str:
        """Return sha256 of the triplets, whatever their order."""
        return fingerprint((one.anchor, one.positive, *one.negatives) for one in self._triplets)

    def judge(self, encoder: Encoder) -> Measures:
        """Measure every dim; raises MeasureError for NaN, BadVectorsError for vectors that are bad or all the same."""
        embedder = Embedder(encoder, self.names.dims, progress=self._progress)
        embedded = embed_triplets(self._triplets, embedder)
        return {self.names.at(dim): triplet_accuracy(embedded.hits(dim)) for dim in self.names.dims}


class PairsJudge:
    """Judges how far similarities and the scores of people correlate.

    Keys are those of sentence-transformers' EmbeddingSimilarityEvaluator. Both sentences of a pair are queries, no text
    is a document. Raises MeasureError for scores that nothing can correlate with, UsageError for a measure that is none
    of the keys.
    """

    task = "pairs"
    documents: Sequence[str] = ()
    examples: Sequence[Example] = ()

    def __init__(
        self, pairs: Sequence[ScoredPair], *, spec: JudgeSpec, dims: Sequence[int], progress: Progress = silent
    ) -> None:
        check_gold(np.array([one.score for one in pairs], dtype=np.float64))
        self.names = name_judge(spec, dims, keys=PAIRS_KEYS, usual=PAIRS_PRIMARY)
        self.measure = self.names.measure
        self.queries = tuple(dict.fromkeys(text for one in pairs for text in (one.sentence1, one.sentence2)))
        self._pairs = pairs
        self._progress = progress

    @cached_property
    def fingerprint(self) -> str:
        """Return sha256 of the pairs and their scores, whatever their order."""
        return fingerprint((one.sentence1, one.sentence2, one.score) for one in self._pairs)

    def judge(self, encoder: Encoder) -> Measures:
        """Measure every dim; raises MeasureError for NaN, BadVectorsError for vectors that are bad or all the same."""
        embedded = embed_pairs(self._pairs, Embedder(encoder, self.names.dims, progress=self._progress))
        return {self.names.at(dim): correlations(embedded.similarities(dim), embedded.gold) for dim in self.names.dims}
