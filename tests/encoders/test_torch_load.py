from typing import Any

import pytest
import torch

from searchapp.encoders.folder import find_folder
from searchapp.encoders.torch_load import open_model
from tests.encoders.conftest import Build
from tests.models_on_disk import quiet


@pytest.mark.parametrize("name", ["nomic", "roberta", "bge", "e5"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_is_opened_in_one_dtype_and_with_fused_attention(name: str, dtype: str, built: Build) -> None:
    with quiet():
        model: Any = open_model(find_folder(str(built(name))), "cpu", dtype=dtype, trust=False)
    numbers = {tensor.dtype for tensor in [*model.parameters(), *model.buffers()] if tensor.is_floating_point()}
    assert numbers == {getattr(torch, dtype)}
    assert model[0].auto_model.config._attn_implementation == "sdpa"
    assert not model.training
