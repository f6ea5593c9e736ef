"""Prompts: what is put before a query and before a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Prompts:
    """The two prompts of a model and where they come from.

    `source` is one of `option`, `recipe` (of a training), `model`, `family NAME (declared MODEL)`, `none`, `none,
    though its base MODEL takes ...`, or, where the two prompts come from two places, both: `query: option, document:
    none`. It is told to the user and stored.
    """

    query: str = ""
    document: str = ""
    source: str = "none"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a model says about itself."""

    names: tuple[str, ...] = ()
    """Names it goes by, the surest first: hub name, the card's, the folder's."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Its own prompts by their names."""
    default: str | None = None
    """The name of the prompt for texts of either role."""
    bases: tuple[str, ...] = ()
    """Models it was made from. Their prompts are not its own: who trained it may have trained it without."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same prompts, by the last part of their hub names in lower case."""

    name: str
    query: str
    document: str
    models: tuple[str, ...]


def _row(name: str, query: str, document: str, models: str) -> Family:
    return Family(name, query, document, tuple(models.split()))


_WEB = "Given a web search query, retrieve relevant passages that answer the query"
_INSTRUCT = f"Instruct: {_WEB}\nQuery: "
_REPRESENT = "Represent this sentence for searching relevant passages: "
_REPRESENT_ZH = "为这个句子生成表示以用于检索相关文章："

# As the cards of the published models give them. A model that takes none has a row too: it is known to take none.
FAMILIES: tuple[Family, ...] = (
    _row(
        "nomic",
        "search_query: ",
        "search_document: ",
        "nomic-embed-text-v1 nomic-embed-text-v1.5 nomic-embed-text-v1-unsupervised nomic-embed-text-v1-ablated "
        "nomic-embed-text-v2-moe nomic-embed-text-v2-moe-unsupervised modernbert-embed-base "
        "modernbert-embed-large",
    ),
    _row(
        "e5",
        "query: ",
        "passage: ",
        "e5-small e5-base e5-large e5-small-v2 e5-base-v2 e5-large-v2 e5-base-4k e5-small-unsupervised "
        "e5-base-unsupervised e5-large-unsupervised multilingual-e5-small multilingual-e5-base "
        "multilingual-e5-large",
    ),
    _row("e5", _INSTRUCT, "", "multilingual-e5-large-instruct e5-mistral-7b-instruct"),
    _row(
        "bge",
        _REPRESENT,
        "",
        "bge-small-en bge-base-en bge-large-en bge-small-en-v1.5 bge-base-en-v1.5 bge-large-en-v1.5",
    ),
    _row(
        "bge",
        _REPRESENT_ZH,
        "",
        "bge-small-zh bge-base-zh bge-large-zh bge-small-zh-v1.5 bge-base-zh-v1.5 bge-large-zh-v1.5",
    ),
    _row("bge", "", "", "bge-m3 bge-m3-unsupervised bge-m3-retromae"),
    _row("bge", f"<instruct>{_WEB}.\n<query>", "", "bge-multilingual-gemma2"),
    _row(
        "gte",
        "",
        "",
        "gte-small gte-base gte-large gte-small-zh gte-base-zh gte-large-zh gte-base-en-v1.5 gte-large-en-v1.5 "
        "gte-multilingual-base gte-modernbert-base",
    ),
    _row("gte", _INSTRUCT, "", "gte-qwen2-1.5b-instruct gte-qwen2-7b-instruct gte-qwen1.5-7b-instruct"),
    _row("mxbai", _REPRESENT, "", "mxbai-embed-large-v1"),
    _row("mxbai", "query: ", "passage: ", "deepset-mxbai-embed-de-large-v1"),
    _row(
        "arctic-embed",
        _REPRESENT,
        "",
        "snowflake-arctic-embed-xs snowflake-arctic-embed-s snowflake-arctic-embed-m "
        "snowflake-arctic-embed-m-long snowflake-arctic-embed-l snowflake-arctic-embed-m-v1.5",
    ),
    _row("arctic-embed", "query: ", "", "snowflake-arctic-embed-m-v2.0 snowflake-arctic-embed-l-v2.0"),
    _row(
        "jina",
        "",
        "",
        "jina-embedding-s-en-v1 jina-embedding-b-en-v1 jina-embedding-l-en-v1 jina-embeddings-v2-small-en "
        "jina-embeddings-v2-base-en jina-embeddings-v2-base-de jina-embeddings-v2-base-es "
        "jina-embeddings-v2-base-zh jina-embeddings-v2-base-code",
    ),
    _row(
        "jina",
        "Represent the query for retrieving evidence documents: ",
        "Represent the document for retrieval: ",
        "jina-embeddings-v3",
    ),
    _row(
        "qwen3-embedding", f"Instruct: {_WEB}\nQuery:", "", "qwen3-embedding-0.6b qwen3-embedding-4b qwen3-embedding-8b"
    ),
    _row("embeddinggemma", "task: search result | query: ", "title: none | text: ", "embeddinggemma-300m"),
)

_BY_MODEL = {model: family for family in FAMILIES for model in family.models}

# What models call the prompts of the two roles, the commonest first; compared in lower case.
_ROLES = {
    "query": ("query", "queries", "search_query", "retrieval.query", "retrieval-query", "s2p_query"),
    "document": (
        *("document", "documents", "passage", "corpus", "search_document"),
        *("retrieval.passage", "retrieval.document", "retrieval-document"),
    ),
}


def find_family(names: Sequence[str]) -> tuple[Family, str] | None:
    """Return the first family that one of the declared names belongs to, and that name; None for a stranger.

    A name belongs by the whole of its last part, never by a piece of it.

    >>> find_family(["models/checkpoint-40", "intfloat/multilingual-e5-large"])[1]
    'intfloat/multilingual-e5-large'
    >>> find_family(["my-e5-like-thing"])
    """
    for name in names:
        family = _BY_MODEL.get(name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lower())
        if family is not None:
            return family, name
    return None


def resolve_prompts(declared: Declared, *, query: str | None = None, document: str | None = None) -> Prompts:
    """Choose the prompts: what is asked for, else the model's own, else its family's, else none.

    `query` and `document` are what is asked for: None where nothing is, "" for explicitly no prompt. A role that is
    not asked for goes on to the next source.

    >>> resolve_prompts(Declared(names=("intfloat/e5-base-v2",)), document="")
    Prompts(query='query: ', document='', source='query: family e5 (declared intfloat/e5-base-v2), document: option')
    """
    known = _own_prompts(declared) or _family_prompts(declared) or Prompts(source=_no_prompts(declared))
    if query is None and document is None:
        return known
    from_query = known.source if query is None else "option"
    from_document = known.source if document is None else "option"
    return Prompts(
        query=known.query if query is None else query,
        document=known.document if document is None else document,
        source="option" if from_query == from_document else f"query: {from_query}, document: {from_document}",
    )


def _own_prompts(declared: Declared) -> Prompts | None:
    """Return the model's own prompts; None where it has none for the two roles, or only empty ones.

    An empty prompt does not count, as the libraries save one for every role that was never given any. The default
    prompt stands in for a role without one, but not where it is that of the other role.
    """
    named = {name.lower(): text for name, text in declared.prompts.items() if text}
    fallback = (declared.default or "").lower()
    default = "" if any(fallback in synonyms for synonyms in _ROLES.values()) else named.get(fallback, "")
    query, document = (
        next((named[name] for name in synonyms if name in named), default) for synonyms in _ROLES.values()
    )
    return Prompts(query, document, "model") if query or document else None


def _family_prompts(declared: Declared) -> Prompts | None:
    found = find_family(declared.names)
    if found is None:
        return None
    family, name = found
    return Prompts(family.query, family.document, f"family {family.name} (declared {name})")


def _no_prompts(declared: Declared) -> str:
    """Say that there are none, and what the model it was made from takes: whoever trained it knows if it does too."""
    found = find_family(declared.bases)
    if found is None or not (found[0].query or found[0].document):
        return "none"
    family, name = found
    return f"none, though its base {name} takes {family.query!r} for queries and {family.document!r} for documents"


def add_prompt(prompt: str, texts: Sequence[str]) -> tuple[list[str], list[bool]]:
    """Put `prompt` before every text that does not begin with it; return the texts and whether each did.

    >>> add_prompt("query: ", ["red bag", "query: red bag"])
    (['query: red bag', 'query: red bag'], [False, True])
    >>> add_prompt("", ["red bag"])
    (['red bag'], [False])
    """
    already = [bool(prompt) and text.startswith(prompt) for text in texts]
    return [text if has else prompt + text for text, has in zip(texts, already, strict=True)], already
