"""What a report is about: the data, how it was judged, the models with their prompts, and what a reader must know."""

from collections.abc import Iterable, Iterator, Mapping

from searchapp.bench.render.markup import Column, Row, Value, details, element, facts, table
from searchapp.bench.render.wording import amount, count
from searchapp.bench.report import PairwiseReport, Report

PROTOCOLS = {
    "full-corpus": "full-corpus: every document is ranked for every query",
    "judged-pool": "judged-pool: only what a query has judgments for is ranked",
}


def about(report: Report) -> Iterator[str]:
    """Yield the data set, the protocol, gains, counts, models and notes of a retrieval report."""
    judging, counts = report.judging, report.counts
    fate = "left out of every mean" if judging.no_relevant == "drop" else "kept, counted as 0"
    gains, lacking = judging.gains, counts.get("without_relevant", 0)
    table = "gain = grade" if gains.by_grade is None else ", ".join(f"{gain:g}" for gain in gains.by_grade)
    yield facts(
        [
            ("Data set", f"{report.dataset}, {report.split}" if report.split else report.dataset),
            ("Protocol", PROTOCOLS[report.protocol]),
            ("Gains", f"{gains.name} ({table})"),
            ("Relevant", report.relevant),
            ("Queries", f"{count(counts.get('evaluated', 0))} evaluated of {count(counts.get('judged', 0))} judged"),
            ("Without a relevant document", f"{count(lacking)}, {fate}" if lacking else "none"),
            ("Documents", count(report.documents) + (", the query’s own dropped" if judging.drop_self else "")),
            ("Drawn and shipped by", report.primary),
        ]
    )
    yield models_table(report)
    yield from _notes(report.notes)
    yield _provenance(report.fingerprints, report.machine)


def about_pairs(report: PairwiseReport) -> Iterator[str]:
    """Yield the same of a report on triplets or scored pairs."""
    yield facts([("Task", report.task), ("Counted", count(report.count)), ("Drawn", report.primary)])
    yield models_table(report)
    yield from _notes(report.notes)
    yield _provenance({"data": report.fingerprint}, report.machine)


def models_table(report: Report | PairwiseReport) -> str:
    """Return the models with their prompts."""
    columns = [Column("model", words=True), Column("dims"), Column("pooling", words=True)]
    columns += [Column(name, words=True) for name in ("query prompt", "document prompt")]
    columns += [Column("max tokens"), Column("runtime", words=True), Column("corpus", note="s to embed")]
    columns += [Column("query", note="ms to embed")]
    rows = [
        Row(
            [
                Value(model.name, small=f"weights {model.fingerprint[:12]}"),
                Value(str(model.dim)),
                Value(model.pooling),
                Value(f"“{model.query_prompt}”" if model.query_prompt else "none"),
                Value(f"“{model.document_prompt}”" if model.document_prompt else "none"),
                Value(count(model.max_seq_length)),
                Value(model.runtime),
                Value(amount(model.embed_seconds)),
                Value(amount(model.encode_ms)),
            ]
        )
        for model in report.models
    ]
    return table("models", "Models, with the prompts that were put before texts", columns, rows)


def _notes(notes: Iterable[str]) -> Iterable[str]:
    items = "".join(element("li", note) for note in notes)
    if items:
        yield f'<h3>What a reader must know</h3><ul class="notes">{items}</ul>'


def _provenance(fingerprints: Mapping[str, str], machine: Mapping[str, str | int]) -> str:
    pairs = [(f"sha256 of the {name}", value) for name, value in fingerprints.items()]
    pairs += [(name, str(value)) for name, value in machine.items()]
    return details("Fingerprints and machine", facts(pairs))
