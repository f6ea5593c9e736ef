"""What a model's folder must be for its BERT to be written down: what stands behind the pooling."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchapp.encoders import Encoder, load_encoder
from searchapp.encoders.bert_folder import dense_of, read_model
from searchapp.encoders.bert_runtime import refuse_bert
from searchapp.errors import ModelError
from tests.models_on_disk import add_dense

pytest.importorskip("sentence_transformers", reason="models are not installed")


@pytest.fixture(scope="module")
def turned(built: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(str(add_dense(built("roberta"), tmp_path_factory.mktemp("turned") / "model")))


@pytest.mark.parametrize("changed", [{"bias": True}, {"residual": True}, {"out": 16}, {"bounded": True}])
def test_more_than_a_square_matrix_behind_the_pooling_is_refused(
    built: Callable[[str], Path], tmp_path: Path, changed: dict[str, Any]
) -> None:
    encoder = load_encoder(str(add_dense(built("roberta"), tmp_path / "model", **changed)))
    said = refuse_bert(encoder)
    assert said is not None
    assert said.endswith("2_Dense is more than a square matrix")


def change_json(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        body = change(json.loads((folder / name).read_text(encoding="utf-8")))
        (folder / name).write_text(json.dumps(body), encoding="utf-8")

    return changed


def module_says(**said: str) -> Callable[[Path], None]:
    return change_json("modules.json", lambda modules: [*modules[:-1], {**modules[-1], **said}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (module_says(type="sentence_transformers.base.modules.dense.Denser"), r"2_Dense is more than a square matrix"),
        (module_says(type="elsewhere.Dense"), r"2_Dense is more than a square matrix"),
        (module_says(path="../2_Dense"), r"modules\.json names \.\./2_Dense, which lies elsewhere"),
        (module_says(path="/2_Dense"), r"modules\.json names /2_Dense, which lies elsewhere"),
        (
            change_json("2_Dense/config.json", lambda config: {**config, "module_input_name": "token_embeddings"}),
            r"2_Dense is more than a square matrix",
        ),
        (lambda folder: (folder / "2_Dense" / "model.safetensors").unlink(), r"2_Dense has no model\.safetensors"),
        (change_json("modules.json", lambda _: []), r"can't be read as a list of modules"),
    ],
)
def test_what_is_no_matrix_of_its_own_is_refused(
    turned: Encoder, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = Path(shutil.copytree(turned.card.model, tmp_path / "model"))
    read_model(folder, turned.card)
    change(folder)
    with pytest.raises(ModelError, match=message):
        read_model(folder, turned.card)


def test_a_config_may_leave_out_what_a_dense_takes_anyway(turned: Encoder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(turned.card.model, tmp_path / "model"))
    bare = ("in_features", "out_features", "bias", "activation_function")
    change_json("2_Dense/config.json", lambda config: {name: config[name] for name in bare})(folder)
    assert dense_of(folder, turned.card) == folder / "2_Dense"
