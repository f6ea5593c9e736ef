"""The texts an index was made of: from the fields it stores, or from its corpus."""

from collections.abc import Mapping

from searchapp.corpus import Corpus
from searchapp.corpus.template import Template
from searchapp.errors import InputError
from searchapp.index import Index
from searchapp.shards import hash_text


def stored_texts(index: Index, needed: set[str]) -> dict[str, str]:
    """Return the texts of these documents, made of stored fields by the index's template.

    Each is held against the hash of the text that was embedded. Raises InputError where the fields don't give it, as
    where long ones were not stored.
    """
    template = Template.parse(str(index.manifest.corpus["text_template"]))
    rows = index.documents.rows(needed)
    texts = {}
    for doc_id, row in rows.items():
        fields = index.documents.fields(row)
        cells = {name: _cell(fields.get(name)) for name in template.columns}
        texts[doc_id] = template.render(cells)
    _check(index, texts, rows, f"the fields {', '.join(template.columns)} that {index.folder} stores")
    return texts


def corpus_texts(index: Index, corpus: Corpus, needed: set[str]) -> dict[str, str]:
    """Return the texts of these documents as a corpus has them, read as a stream to its end.

    Raises InputError where one is not what the index was made of.
    """
    rows = index.documents.rows(needed)
    texts = {document.doc_id: document.text for document in corpus.documents() if document.doc_id in rows}
    _check(index, texts, rows, f"the corpus {corpus.name}, read as {corpus.text_template!r},")
    return texts


def _check(index: Index, texts: Mapping[str, str], rows: Mapping[str, int], source: str) -> None:
    hashes = index.documents.fact("text_hash")
    for doc_id, text in texts.items():
        if hash_text(text) != int(hashes[rows[doc_id]]):
            raise InputError(
                f"{source} gives {text[:60]!r} for the document {doc_id!r}, which is not the text that"
                f" {index.folder} was made of ({index.manifest.corpus['text_template']!r}); name the corpus it was made"
                " of with --corpus, and --text if it was given then"
            )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
