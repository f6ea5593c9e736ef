"""A float32 ONNX graph -> one whose matrix products with weights are of 8-bit numbers.

Weights are symmetric per column, activations symmetric per token, each by its own largest number at run time: a text's
vector doesn't depend on the other texts of its batch, and no calibration texts are needed. Attention, normalisation and
pooling stay float32.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from searchapp.optional import require

_WEIGHT_RANGE = 63
"""Of 127: processors without VNNI add two products in 16 bits, and 2 * 255 * 63 is the most that fits."""
_ACTIVATION_RANGE, _ZERO_POINT = 127, 128
_TINY = np.float32(1e-12)


def quantize(model: Any) -> Any:
    """Change an onnx ModelProto in place and return it; one weight that several products share is changed for all."""
    onnx = require("onnx", extra="onnx")
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    chosen = [node for node in graph.node if _is_weight_product(node, weights)]
    surgery = _Surgery(onnx)
    nodes = []
    for node in graph.node:
        nodes += surgery.replace(node, weights[node.input[1]]) if node in chosen else [node]
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *surgery.constants()])
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


def quantize_columns(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return int8 (rows, columns) and float32 (columns): a weight is about its integer times its column's scale.

    >>> integers, scales = quantize_columns(np.array([[0.63, 0.0], [-0.315, 0.0]], dtype=np.float32))
    >>> integers.tolist(), [round(float(scale), 4) for scale in scales]
    ([[63, 0], [-32, 0]], [0.01, 0.0])
    """
    scales = (np.maximum(np.abs(weights).max(axis=0), _TINY) / np.float32(_WEIGHT_RANGE)).astype(np.float32)
    return np.rint(weights / scales).astype(np.int8), scales


def _is_weight_product(node: Any, weights: dict[str, Any]) -> bool:
    return node.op_type == "MatMul" and node.input[1] in weights and len(weights[node.input[1]].dims) == 2


class _Surgery:
    """Makes the nodes that take a product's place; an input that several products share is quantised once."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._constants: dict[str, npt.NDArray[Any]] = {
            "int8/last": np.array([-1], dtype=np.int64),
            "int8/tiny": np.array(_TINY, dtype=np.float32),
            "int8/scale": np.array(1 / _ACTIVATION_RANGE, dtype=np.float32),
            "int8/zero": np.array(_ZERO_POINT, dtype=np.uint8),
        }
        self._inputs: set[str] = set()

    def constants(self) -> list[Any]:
        """Return the initializers that the new nodes use."""
        return [self._onnx.numpy_helper.from_array(array, name) for name, array in self._constants.items()]

    def replace(self, node: Any, weight: Any) -> list[Any]:
        """Return the nodes for one product."""
        source, name, out = node.input[0], node.input[1], node.output[0]
        integers, scales = f"{name}/int8", f"{name}/scale"
        if integers not in self._constants:
            found = quantize_columns(self._onnx.numpy_helper.to_array(weight))
            self._constants[integers], self._constants[scales] = found
        make = self._onnx.helper.make_node
        product = make(
            "MatMulIntegerToFloat",
            [f"{source}/int8", integers, "int8/scale", scales, "int8/zero"],
            [f"{out}/unit"],
            domain="com.microsoft",
        )
        return [*self._quantized(source), product, make("Mul", [f"{out}/unit", f"{source}/most"], [out])]

    def _quantized(self, source: str) -> list[Any]:
        if source in self._inputs:
            return []
        self._inputs.add(source)
        make = self._onnx.helper.make_node
        return [
            make("ReduceMax", [source, "int8/last"], [f"{source}/max"], keepdims=1),
            make("ReduceMin", [source, "int8/last"], [f"{source}/min"], keepdims=1),
            make("Neg", [f"{source}/min"], [f"{source}/least"]),
            make("Max", [f"{source}/max", f"{source}/least", "int8/tiny"], [f"{source}/most"]),
            make("Div", [source, f"{source}/most"], [f"{source}/unit"]),
            make("QuantizeLinear", [f"{source}/unit", "int8/scale", "int8/zero"], [f"{source}/int8"]),
        ]
