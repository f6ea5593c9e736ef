"""add, upsert, delete and compact from the command line, with a model that needs no torch."""

import json
from pathlib import Path

import pytest

from searchapp.index import open_index
from tests.cli.test_commands import call
from tests.models_on_disk import make_static


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.csv").write_text("sku,text,brand\na,red bag,Acme\nb,steel kettle,Bolt\nc,oak table,\n", "utf-8")
    model = make_static(tmp_path / "model")
    call(
        "index", tmp_path / "shop.csv", "--id", "sku", "--text", "{text}", "--model", model, "--out", tmp_path / "shop"
    )
    return tmp_path / "shop"


def test_a_living_index_from_the_command_line(shop: Path) -> None:
    more = shop.parent / "more.csv"
    more.write_text("sku,text,brand\nd,red scarf,Acme\ne,red chair,Bolt\n", "utf-8")
    assert call("add", shop, more, "--id", "sku").stdout == f"add: 2 added; {shop} holds 5 documents\n"
    assert call("query", shop, "red scarf", "-k", "1", "--json").stdout.count('"doc_id": "d"') == 1
    again = call("add", shop, shop.parent / "shop.csv", "--id", "sku").stdout
    assert again == f"add: 3 unchanged; {shop} holds 5 documents\n"
    more.write_text("sku,text,brand\nd,red scarf,Acme\ne,blue chair,Bolt\n", "utf-8")
    refused = call("add", shop, more, "--id", "sku", code=1).stderr
    assert f"searchapp: {shop} has 2 of these ids already, such as d ({more}:2), e ({more}:3); to replace" in refused
    shown = json.loads(call("upsert", shop, more, "--id", "sku", "--json").stdout)
    assert shown == {
        "index": str(shop),
        "operation": "upsert",
        "added": 0,
        "replaced": 1,
        "unchanged": 1,
        "deleted": 0,
        "documents": 5,
        "generation": 2,
    }
    dry = call("delete", shop, "--where", "brand = 'Acme'", "--dry-run").stdout
    assert dry == f"delete: would delete 2 of the 5 documents of {shop}\n"
    assert len(open_index(shop)) == 5
    gone = call("delete", shop, "--where", "brand = 'Acme'")
    assert gone.stdout == f"delete: 2 deleted; {shop} holds 3 documents\n"
    assert gone.stderr == f"50% of its rows are deleted slow searches down; type: searchapp compact {shop}\n"
    assert call("delete", shop, "--ids", "-", typed="b\n\n").stdout == f"delete: 1 deleted; {shop} holds 2 documents\n"
    shown = call("info", shop).stdout
    assert "changed   4 times since it was built: 3 parts, 4 deleted" in shown
    assert "advice    67% of its rows are deleted slow searches down; type: searchapp compact" in shown
    assert call("compact", shop).stdout == f"compact: 4 deleted; {shop} holds 2 documents\n"
    shown = call("info", shop).stdout
    assert "changed   5 times since it was built: 1 parts, 0 deleted" in shown
    assert "advice" not in shown
    assert call("compact", shop).stdout == f"compact: nothing to do; {shop} holds 2 documents\n"
    assert call("verify", shop).exit_code == 0


def test_what_is_refused(shop: Path) -> None:
    assert "type --ids FILE or --where CONDITION" in call("delete", shop, code=2).stderr
    both = call("delete", shop, "--ids", "x", "--where", "a = 1", code=2)
    assert "one of them" in both.stderr
    assert "--missing-ok is about --ids" in call("delete", shop, "--where", "a = 1", "--missing-ok", code=2).stderr
    assert "names colour, which no document has" in call("delete", shop, "--where", "colour = 1", code=2).stderr
    assert "can't be read as ids" in call("delete", shop, "--ids", shop / "nowhere", code=1).stderr
    assert "holds no ids" in call("delete", shop, "--ids", "-", typed="\n", code=1).stderr
    assert "--missing-ok to pass over" in call("delete", shop, "--ids", "-", typed="zz\n", code=1).stderr
    everything = call("delete", shop, "--where", "not text is null", "--dry-run", code=2)
    assert "--all-documents if that is meant" in everything.stderr
    assert "is not an index" in call("compact", shop.parent, code=1).stderr
    template = call("add", shop, shop.parent / "shop.csv", "--id", "sku", "--text", "{brand}", code=1)
    assert "made with the text template '{text}'" in template.stderr
    assert "type --runtime" in call("add", shop, shop.parent / "shop.csv", "--runtime", "x", code=2).stderr


def test_an_index_that_carries_its_encoder_needs_no_model(shop: Path) -> None:
    for item in sorted((shop.parent / "model").rglob("*"), reverse=True):
        item.unlink() if item.is_file() else item.rmdir()
    (shop.parent / "more.csv").write_text("sku,text,brand\nd,red scarf,Acme\n", "utf-8")
    call("add", shop, shop.parent / "more.csv", "--id", "sku")
    assert len(open_index(shop)) == 4
