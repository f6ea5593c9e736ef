"""Living indexes: documents added, replaced and deleted in an index that stands, and the whole of it made compact."""

from searchapp.living.change import Change, GrowOptions, load_document_encoder, open_more
from searchapp.living.compact import compact_index
from searchapp.living.delete import delete_documents, rows_of, rows_where
from searchapp.living.grow import add_documents, upsert_documents

__all__ = [
    "Change",
    "GrowOptions",
    "add_documents",
    "compact_index",
    "delete_documents",
    "load_document_encoder",
    "open_more",
    "rows_of",
    "rows_where",
    "upsert_documents",
]
