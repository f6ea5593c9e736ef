"""TREC collections and topics as they are found."""

import gzip
import re
from pathlib import Path

from searchapp.corpus import open_corpus, read_queries
from searchapp.records import Query

DOCS = """<?xml version="1.0"?>
<ROOT>
<doc id="x">
<docno> LA-1 </docno>
<HEADLINE>
Una cabeza
</HEADLINE>
<TEXT><P>a &lt; b, 3 < 4 > 2</P><P>日本語</P></TEXT>
</doc><DOC><DOCNO>LA-2</DOCNO>two</DOC> <DOC>
<DOCNO>LA-3</DOCNO>
<!-- a remark -->
three
</DOC>
</ROOT>
"""


def test_docs_in_every_shape(write) -> None:
    path = write("docs.trec", DOCS)
    documents = list(open_corpus(path).documents())
    assert [(document.doc_id, document.text.split(), document.where) for document in documents] == [
        ("LA-1", ["Una", "cabeza", "a", "&lt;", "b,", "3", "<", "4", ">", "2", "日本語"], f"{path}:3"),
        ("LA-2", ["two"], f"{path}:9"),
        ("LA-3", ["three"], f"{path}:9"),
    ]


def test_vaswani_against_a_regular_expression(real_data: Path) -> None:
    raw = gzip.decompress((real_data / "vaswani" / "doc-text.trec.gz").read_bytes()).decode()
    expected = re.findall(r"<DOC>\n<DOCNO>(\d+)</DOCNO>\n(.*?)\n</DOC>", raw, re.DOTALL)
    documents = open_corpus(real_data / "vaswani").documents()
    assert [(document.doc_id, document.text) for document in documents] == [
        (doc_id, text.strip()) for doc_id, text in expected
    ]


CLASSIC = """
<top>

<num> Number: 301
<title> International Organized Crime

<desc> Description:
Identify organizations that participate.

<narr> Narrative:
A relevant document must < 3 as a minimum identify.

</top>

<top>
<head> Tipster Topic Description
<num> Number:  051
<dom> Domain:  International Economics
<title> Topic:  Airbus
  Subsidies
</top>
<TOP><NUM>x-3</NUM><TITLE>価格 < 100円</TITLE></TOP>
"""


def test_topics_closed_and_unclosed(write) -> None:
    assert list(read_queries(write("topics", CLASSIC))) == [
        Query("301", "International Organized Crime"),
        Query("051", "Airbus Subsidies"),
        Query("x-3", "価格 < 100円"),
    ]


def test_vaswani_topics(real_data: Path) -> None:
    queries = list(read_queries(real_data / "vaswani" / "query-text.trec"))
    assert [query.query_id for query in queries] == [str(number) for number in range(1, 94)]
    assert queries[1].text == "MATHEMATICAL ANALYSIS AND DESIGN DETAILS OF WAVEGUIDE FED MICROWAVE RADIATIONS"
