import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from searchapp.encoders.onnx_int8 import quantize, quantize_columns


def test_columns_have_scales_of_their_own() -> None:
    weights = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32) * np.logspace(-3, 2, 7, dtype=np.float32)
    integers, scales = quantize_columns(weights)
    assert np.abs(integers).max(axis=0).tolist() == [63] * 7
    assert (np.abs(integers * scales - weights) <= 0.5001 * scales).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_product_is_that_of_the_rounded_numbers(sign: int) -> None:
    random = np.random.default_rng(1)
    weights, rows = random.normal(size=(32, 5)).astype(np.float32), random.normal(size=(2, 3, 32)).astype(np.float32)
    rows = sign * np.abs(rows) * np.logspace(-2, 2, 6, dtype=np.float32).reshape(2, 3, 1)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None, 5])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = quantize(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10))
    onnx.checker.check_model(model)
    assert "w" not in {tensor.name for tensor in model.graph.initializer}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": rows.astype(np.float32)})[0]
    integers, scales = quantize_columns(weights)
    most = np.abs(rows).max(axis=-1, keepdims=True)
    expected = np.rint(rows / most * 127) @ integers.astype(np.float64) * scales / 127 * most
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=float(2e-4 * np.abs(expected).max()))
