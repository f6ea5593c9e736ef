"""Options that several commands share, and how their texts become values."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from searchapp.errors import UsageError

CORPUS, MODEL, SEARCH, JUDGING = "Reading", "Model", "Searching", "Judging"
ORDERS = ("rank", "score", "trec_eval")
"""How a TREC run that is read may be ordered."""

Format = Annotated[
    str, typer.Option("--format", help="jsonl, csv, tsv, parquet, beir, esci, trec.", rich_help_panel=CORPUS)
]
Text = Annotated[
    str | None,
    typer.Option("--text", help='Template of the text to embed: "{title}. {brand}".', rich_help_panel=CORPUS),
]
Id = Annotated[str | None, typer.Option("--id", help="Column that holds the document id.", rich_help_panel=CORPUS)]
Store = Annotated[
    str | None,
    typer.Option(
        "--store", help="Columns kept for display, comma-separated; default: small ones.", rich_help_panel=CORPUS
    ),
]
OnBadRow = Annotated[
    str, typer.Option("--on-bad-row", help="error, or skip (skipped rows are counted).", rich_help_panel=CORPUS)
]
Locale = Annotated[str | None, typer.Option("--locale", help="ESCI: us, es or jp only.", rich_help_panel=CORPUS)]
Version = Annotated[str | None, typer.Option("--version", help="ESCI: small or large.", rich_help_panel=CORPUS)]

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Hub name, folder, static, or minilm (the default).", rich_help_panel=MODEL),
]
Revision = Annotated[str | None, typer.Option("--revision", help="Revision on the hub.", rich_help_panel=MODEL)]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="cpu, cuda, cuda:1, mps; several as cuda:0,cuda:1 or cuda:all.",
        show_default="cuda if there, else cpu",
        rich_help_panel=MODEL,
    ),
]
DType = Annotated[str, typer.Option("--dtype", help="auto, float32, float16, bfloat16.", rich_help_panel=MODEL)]
Runtime = Annotated[
    str, typer.Option("--runtime", help="auto, onnx (CPU), static (no torch needed), torch.", rich_help_panel=MODEL)
]
Precision = Annotated[
    str,
    typer.Option("--precision", help="auto, float32, int8 (CPU, in onnx; bench it first).", rich_help_panel=MODEL),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.", rich_help_panel=MODEL)
]
QueryPrompt = Annotated[
    str | None,
    typer.Option(
        "--query-prompt", help='Put before queries; "" for none. Default: the model\'s.', rich_help_panel=MODEL
    ),
]
DocumentPrompt = Annotated[
    str | None, typer.Option("--document-prompt", help="The same for documents.", rich_help_panel=MODEL)
]

OnTruncate = Annotated[
    str,
    typer.Option(
        "--on-truncate",
        help="Texts longer than the model sees: warn (their ends are left out), error, or chunk (found by any part).",
        rich_help_panel=CORPUS,
    ),
]
ChunkOverlap = Annotated[
    int | None,
    typer.Option(
        "--chunk-overlap",
        help="Tokens that neighbouring chunks share. Default: an eighth of what the model sees.",
        show_default=False,
        min=0,
        rich_help_panel=CORPUS,
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def refuse(reason: str, given: Mapping[str, object]) -> None:
    """Raise UsageError if any of these options was given: they don't go with another one."""
    for option, value in given.items():
        if value not in (None, False):
            raise UsageError(f"{option} doesn't go with {reason}; leave one of them away")


def one_of(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise UsageError, with the nearest choice first, unless the value is one of them.

    >>> one_of("--task", "pairs", ("triplets", "pairs"))
    """
    names = list(choices)
    if value not in names:
        near = difflib.get_close_matches(value, names, n=1)
        names.sort(key=lambda name: name not in near)
        raise UsageError(f"{option} is {value!r}; type {option} {f' or {option} '.join(names)}")


def share(option: str, text: str) -> float:
    """Read a share of one, as a per cent or a fraction; raise UsageError naming the option.

    >>> share("--tolerance", "1%"), share("--tolerance", "0.05")
    (0.01, 0.05)
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else 1.0
    if value >= 1:
        raise UsageError(f"{option} is {text!r}, which is no share of the best; type it like: {option} 1%")
    return value


def size(option: str, text: str | None) -> int | None:
    """Read a number of bytes; raise UsageError naming the option.

    >>> size("--budget-bytes", "50MB"), size("--budget-bytes", "1024"), size("--budget-bytes", "1.5 GiB")
    (50000000, 1024, 1610612736)
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(?:([kmgt])(i?))?b?", text.strip().lower())
    if match is None:
        raise UsageError(f"{option} is {text!r}, which is no size; type it like: {option} 50MB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** (" kmgt".index(match[2]) if match[2] else 0))


def split_list(text: str | None, option: str = "") -> tuple[str, ...]:
    """Cut a comma-separated list; raise UsageError naming the option, if it is named, for a list that holds nothing.

    >>> split_list("title, brand")
    ('title', 'brand')
    """
    parts = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if option and text is not None and not parts:
        raise UsageError(f"{option} is given and holds nothing; name something, or leave it away")
    return parts


def split_numbers(option: str, text: str | None) -> tuple[int, ...]:
    """Cut a comma-separated list of whole numbers; raise UsageError naming the option.

    >>> split_numbers("--dims", "384,128")
    (384, 128)
    """
    parts = split_list(text, option)
    for part in parts:
        if not re.fullmatch(r"\d+", part):
            raise UsageError(f"{option} holds {part!r}, which is no whole number; type it like: {option} 384,128")
    return tuple(int(part) for part in parts)


def split_kinds(text: str | None) -> tuple[str, ...]:
    """Cut a list of kinds at commas, FAISS factory strings left whole; `;` cuts anywhere.

    >>> split_kinds("flat,IVF64,PQ8")
    ('flat', 'IVF64,PQ8')
    >>> split_kinds("OPQ8,IVF64,PQ8;IVF64,Flat")
    ('OPQ8,IVF64,PQ8', 'IVF64,Flat')
    """
    kinds: list[str] = []
    for group in (text or "").split(";"):
        factory: list[str] = []
        for part in split_list(group):
            if part == part.lower():
                kinds.append(part)
            else:
                factory.append(part)
        if factory:
            kinds.append(",".join(factory))
    return tuple(kinds)
