"""What judges measure, under sentence-transformers' names."""

from searchapp.judging.card import card_key
from searchapp.metrics import SIMILARITIES, Measure

TRIPLET_KEYS = (*(f"{name}_accuracy" for name in SIMILARITIES), "max_accuracy")
"""Of TripletEvaluator."""
PAIRS_KEYS = tuple(f"{kind}_{name}" for name in (*SIMILARITIES, "max") for kind in ("pearson", "spearman"))
"""Of EmbeddingSimilarityEvaluator."""
RETRIEVAL_MEASURES = {
    key: measure
    for name, cutoffs in (
        ("accuracy", (1, 3, 5, 10)),
        ("precision", (1, 3, 5, 10)),
        ("recall", (1, 3, 5, 10)),
        ("nDCG", (10,)),
        ("RR", (10,)),
        ("AP", (100,)),
    )
    for cutoff in cutoffs
    if (key := card_key(str(measure := Measure(name, cutoff))))
}
"""What InformationRetrievalEvaluator prints, by its keys."""
RETRIEVAL_PRIMARY = "cosine_ndcg@10"

KEYS = (*TRIPLET_KEYS, *PAIRS_KEYS, *RETRIEVAL_MEASURES)
