"""A corpus: its rows, its texts, how much of them a model reads, and what it may become."""

from collections.abc import Iterator, Sequence

from searchapp.doctor.finding import Finding, Level
from searchapp.doctor.reading import CorpusFacts
from searchapp.encoders import Encoder
from searchapp.encoders.lengths import TokenCounter
from searchapp.index import Index
from searchapp.prompts import add_prompt

CUT_SHARE = 0.1
"""From this share of cut texts on, it is worth a warning."""
DUPLICATE_SHARE = 0.05
"""The same for texts that are there twice."""
SHOWN = 3


def rows(facts: CorpusFacts, *, skips: bool) -> Iterator[Finding]:
    """Say how many documents there are and what is wrong with the rows that are none."""
    figures = {"documents": facts.count, "characters": facts.characters}
    yield Finding(
        "corpus",
        "rows",
        "ok",
        f"{facts.name}: {facts.count:,} documents, {facts.format}, text {facts.text_template!r}, "
        f"{facts.characters / facts.count:,.0f} characters each",
        "what would be embedded",
        "",
        figures,
    )
    bad = facts.skipped
    if not bad.count:
        return
    kinds = _kinds(bad.rows)
    shown = "; ".join(f"{where}: {reason}" for where, reason in bad.rows[:SHOWN])
    level: Level = "warning" if skips else "problem"
    yield Finding(
        "corpus",
        "bad rows",
        level,
        f"{bad.count:,} bad rows ({kinds}), such as {shown}",
        "they would be left out" if skips else "index would stop at the first of them",
        "fix them" if skips else "fix them, or leave such rows out with --on-bad-row skip",
        {"count": bad.count, "rows": [{"where": where, "reason": reason} for where, reason in bad.rows]},
    )


def _kinds(found: Sequence[tuple[str, str]]) -> str:
    """Sum up why rows are bad."""
    empty = sum(reason.endswith("is empty; expected some text") for _, reason in found)
    repeated = sum("expected every id once" in reason for _, reason in found)
    parts = [(empty, "with an empty text"), (repeated, "whose id is there already")]
    parts.append((len(found) - empty - repeated, "other"))
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def texts(facts: CorpusFacts) -> Iterator[Finding]:
    """Say how many texts are there more than once."""
    share = facts.duplicates / facts.count
    figures = {"duplicates": facts.duplicates, "share": round(share, 6)}
    if not facts.duplicates:
        yield Finding("corpus", "duplicates", "ok", "every text is there once", "", "", figures)
        return
    level: Level = "warning" if share >= DUPLICATE_SHARE else "note"
    yield Finding(
        "corpus",
        "duplicates",
        level,
        f"{facts.duplicates:,} texts ({share:.1%}) are there already, such as {', '.join(facts.examples)}",
        "they get one score and take places among the hits; they are embedded all the same",
        "leave them out of the file, or put more columns into --text that tell them apart",
        figures,
    )


def lengths(facts: CorpusFacts, encoder: Encoder, counter: TokenCounter) -> Iterator[Finding]:
    """Count the tokens of the sample against what the model reads."""
    limit = encoder.card.max_seq_length
    prefixed, had = add_prompt(encoder.card.prompts.document, [one.text for one in facts.sample])
    already = sum(had)
    tokens = sorted(counter.count(prefixed))
    cut = sum(found > limit for found in tokens) if limit else 0
    lost = sum(max(0, found - limit) for found in tokens) if limit else 0
    share, gone = cut / len(tokens), lost / max(1, sum(tokens))
    figures = {
        "sampled": len(tokens),
        "max_seq_length": limit,
        "cut": cut,
        "share": round(share, 6),
        "tokens_lost": lost,
        "tokens_lost_share": round(gone, 6),
        "median": tokens[len(tokens) // 2],
        "p95": tokens[int(0.95 * (len(tokens) - 1))],
        "longest": tokens[-1],
    }
    yield _judge_cut(figures, whole=len(tokens) == facts.count)
    if already:
        yield Finding(
            "corpus",
            "prefixed",
            "note",
            f"{already:,} of {len(tokens):,} texts begin with the document prompt "
            f"{encoder.card.prompts.document!r} already",
            "they are left as they are, so nothing is doubled",
            "nothing, if all of them do; else leave the prompt out of the file",
            {"already": already},
        )


def _judge_cut(figures: dict[str, int | float | None], *, whole: bool) -> Finding:
    share, limit, sampled = figures["share"], figures["max_seq_length"], figures["sampled"]
    of = f"all {sampled:,}" if whole else f"{sampled:,} sampled"
    long = f"median {figures['median']:,} tokens, 95 % below {figures['p95']:,}, longest {figures['longest']:,}"
    if not share:
        end = "is read whole" if limit else "is read whole, however long"
        return Finding("corpus", "cut", "ok", f"every one of {of} texts {end} ({long})", "nothing is lost", "", figures)
    level: Level = "warning" if share >= CUT_SHARE else "note"
    return Finding(
        "corpus",
        "cut",
        level,
        f"{share:.1%} of {of} texts are longer than {limit} tokens, {figures['tokens_lost_share']:.1%} of all tokens "
        f"are lost ({long})",
        "what stands behind the cut can't be found",
        "type --on-truncate chunk, put first in --text what matters most, or take a model that reads more",
        figures,
    )


def belongs(facts: CorpusFacts, index: Index) -> Iterator[Finding]:
    """Say whether an index was made from this corpus."""
    if facts.fingerprint == index.manifest.corpus["fingerprint"]:
        yield Finding("corpus", "index", "ok", f"{index.folder} was made from this corpus", "up to date", "")
        return
    if changes := index.manifest.generation:
        yield Finding(
            "corpus",
            "index",
            "note",
            f"{index.folder} was changed {changes:,} times since it was built: {len(index):,} documents there, "
            f"{facts.count:,} here",
            "whether it holds what this corpus says now isn't known",
            "type searchapp upsert with this corpus: what is the same is left alone",
            {"index": len(index), "corpus": facts.count},
        )
        return
    yield Finding(
        "corpus",
        "index",
        "warning",
        f"{index.folder} was made from other documents or columns: {len(index):,} there, {facts.count:,} here; text "
        f"{index.manifest.corpus['text_template']!r} there, {facts.text_template!r} here",
        "the index doesn't hold what this corpus says now",
        "give the --text, --id and --store it was made with, or build it again",
        {"index": len(index), "corpus": facts.count},
    )
