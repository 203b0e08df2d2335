"""Write the graph of a model for onnxruntime: ``python -m mirage_wm.onnx_graph --model v1``.

The file holds the net's operations and none of its weights (about 100 kB); it is made once, when a
model is published, by someone who has the package onnx. Playing needs onnxruntime alone.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirage_env.command_line import ended, parsed
from mirage_env.errors import import_extra
from mirage_env.whole_file import write_together
from mirage_wm.weights import WeightsError, card_path, load_model, load_tensors

__all__ = ["GraphConfig", "main", "write_graph"]

OPSET = 19
"""Of the operations in a file: the first with borders that wrap."""


@dataclass(frozen=True)
class GraphConfig:
    """Write the graph of a model beside its weights, for playing by onnxruntime.

    Attributes:
        model: Name of a model that comes with the project, or path of a .safetensors file.
    """

    model: str = "v1"


def write_graph(model: str | Path) -> Path:
    """Write ``NAME.onnx`` beside a model's weights and its SHA-256 on the card; return its path."""
    onnx = import_extra("onnx", "wm", "writing a graph for onnxruntime")
    import_extra("onnxscript", "wm", "writing a graph for onnxruntime")
    graph = _traced(load_model(model))
    names = set(load_tensors(model)[1])
    kept = {tensor.name.removeprefix("model.") for tensor in graph.graph.initializer}
    if not names <= kept:
        raise WeightsError(
            f"the exporter renamed {sorted(names - kept)[0]}: take another version of PyTorch or "
            "onnxscript"
        )
    renamed = {
        tensor.name: tensor.name.removeprefix("model.") for tensor in graph.graph.initializer
    }
    for tensor in graph.graph.initializer:
        tensor.name = renamed[tensor.name]
        if tensor.name in names:
            for field in ("raw_data", "float_data", "external_data"):
                tensor.ClearField(field)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            # Where it is, for readers; the program gives the checked values itself.
            location = tensor.external_data.add()
            location.key, location.value = "location", card_path(model).stem + ".safetensors"
    for node in graph.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.doc_string = ""
        del node.metadata_props[:]
    for part in (*graph.graph.initializer, *graph.graph.input, *graph.graph.output):
        del part.metadata_props[:]
    _quicken(graph.graph)
    for domain in graph.opset_import:
        domain.version = max(domain.version, OPSET)
    del graph.graph.value_info[:], graph.metadata_props[:], graph.graph.metadata_props[:]
    data = graph.SerializeToString(deterministic=True)
    path = card_path(model).with_suffix(".onnx")
    card, _ = load_tensors(model)
    card = replace(card, graph_sha256=hashlib.sha256(data).hexdigest())
    write_together({path: data, card_path(model): card.to_json()})
    return path


def _quicken(graph: Any) -> None:
    """Write some operations as others that onnxruntime is faster at, in place.

    A mean along an axis that is not the last in memory takes it ten times as long as a product of
    matrices. A border from the opposite edge is one operation and not six, and so are the two
    halves of a condition.
    """
    _means_as_products(graph)
    _borders_as_one(graph)
    _halves_as_one(graph)
    _drop_unused(graph)


def _borders_as_one(graph: Any) -> None:
    """Write what `mirage_wm.unet.wrap` was exported as by the operation that does it."""
    from onnx import helper, numpy_helper

    made_by = {name: node for node in graph.node for name in node.output}

    def joined(node: Any) -> str:
        """Return x where a node joins a part of x, x and another part of it."""
        if node is None or node.op_type != "Concat" or len(node.input) != 3:
            return ""
        x = node.input[1]
        parts = [made_by.get(node.input[i]) for i in (0, 2)]
        return x if all(p and p.op_type == "Slice" and p.input[0] == x for p in parts) else ""

    count = 0
    for i, node in enumerate(graph.node):
        if x := joined(made_by.get(joined(node))):
            around = helper.make_node("Pad", [x, "border"], node.output, mode="wrap")
            graph.node[i].CopyFrom(around)
            count += 1
    if not count:
        raise WeightsError("no border was found in the graph: the exporter has changed")
    border = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    graph.initializer.append(numpy_helper.from_array(border, "border"))


def _halves_as_one(graph: Any) -> None:
    """Write the scale and the shift of a condition as one split, not as a sequence of two."""
    from onnx import helper

    taken = {node.input[0]: [] for node in graph.node if node.op_type == "SplitToSequence"}
    for node in graph.node:
        if node.op_type == "SequenceAt":
            made = next(n for n in graph.node if node.input[0] in n.output)
            taken.setdefault(made.input[0], []).append(node.output[0])
    nodes = []
    for node in graph.node:
        if node.op_type == "SplitToSequence":
            halves = taken[node.input[0]]
            nodes.append(helper.make_node("Split", node.input[:1], halves, axis=1, num_outputs=2))
        elif node.op_type != "SequenceAt":
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _drop_unused(graph: Any) -> None:
    """Drop operations whose results nothing takes."""
    while True:
        used = {name for node in graph.node for name in node.input}
        used |= {output.name for output in graph.output}
        kept = [node for node in graph.node if used & set(node.output)]
        if len(kept) == len(graph.node):
            return
        del graph.node[:]
        graph.node.extend(kept)


def _means_as_products(graph: Any) -> None:
    """Write means over channels as products of matrices, and squares as products."""
    from onnx import helper, numpy_helper

    shapes = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in (*graph.value_info, *graph.input)
    }
    made_by = {name: node for node in graph.node for name in node.output}

    def is_constant(name: str, value: float) -> bool:
        node = made_by.get(name)
        if node is None:
            return False
        if node.op_type in ("Cast", "CastLike", "Reshape"):
            return is_constant(node.input[0], value)
        if node.op_type != "Constant":
            return False
        found = numpy_helper.to_array(helper.get_attribute_value(node.attribute[0]))
        return bool((found == value).all())

    nodes, made = [], 0
    for node in graph.node:
        shape = shapes.get(node.input[0], []) if node.input else []
        if node.op_type == "ReduceMean" and len(shape) == 4 and is_constant(node.input[1], 1):
            made += 1
            _, c, h, w = shape
            flat, weights, mean, picture = (f"{part}_{made}" for part in ("flat", "w", "mean", "p"))
            graph.initializer.extend(
                [
                    numpy_helper.from_array(np.full((1, c), 1 / c, np.float32), weights),
                    numpy_helper.from_array(np.array([0, c, h * w]), flat),
                    numpy_helper.from_array(np.array([0, 1, h, w]), picture),
                ]
            )
            square = made_by.get(node.input[0])
            if square is None or square.op_type != "Pow" or not is_constant(square.input[1], 2):
                raise WeightsError("a mean that is not of squares: the exporter has changed")
            # The square of what is flat already: else both would be brought into another layout.
            nodes += [
                helper.make_node("Reshape", [square.input[0], flat], [f"{flat}_out"]),
                helper.make_node("Mul", [f"{flat}_out"] * 2, [f"{flat}_square"]),
                helper.make_node("MatMul", [weights, f"{flat}_square"], [f"{mean}_out"]),
                helper.make_node("Reshape", [f"{mean}_out", picture], node.output),
            ]
        else:
            nodes.append(node)
    if not made:
        raise WeightsError("no mean over channels was found in the graph: the exporter has changed")
    del graph.node[:]
    graph.node.extend(nodes)


def _traced(model: Any) -> Any:
    """Return the ONNX model (a protobuf) of one evaluation of a net.

    Of a regression: frames uint8 and actions int64 to the next frame float32 [n, 64, 64, 3] and the
    logits. Of a diffusion model it takes the noised change x and its level sigma too, and gives
    the change without noise, float32 [n, 3, 64, 64].
    """
    import torch

    from mirage_wm.diffusion import Diffusion
    from mirage_wm.frame_model import to_context

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, frames: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, ...]:
            frame, reward, terminated = self.model(to_context(frames), actions)
            return frame.permute(0, 2, 3, 1), reward, terminated

    class TracedDiffusion(Traced):
        def forward(  # type: ignore[override]
            self,
            frames: torch.Tensor,
            actions: torch.Tensor,
            x: torch.Tensor,
            sigma: torch.Tensor,
        ) -> tuple[torch.Tensor, ...]:
            return tuple(self.model(x, sigma, to_context(frames), actions))

    context = model.config.context
    example = [
        torch.zeros(2, context, 64, 64, 3, dtype=torch.uint8),
        torch.zeros(2, context).long(),
    ]
    inputs, first = ["frames", "actions"], "frame"
    traced: Traced = Traced()
    if isinstance(model, Diffusion):
        example += [torch.zeros(2, 3, 64, 64), torch.ones(2)]
        inputs, first, traced = [*inputs, "x", "sigma"], "change", TracedDiffusion()
    batch = torch.export.Dim("batch", min=1, max=65536)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            program = torch.onnx.export(
                traced.eval(),
                tuple(example),
                input_names=inputs,
                output_names=[first, "reward", "terminated"],
                dynamic_shapes=tuple({0: batch} for _ in example),
                dynamo=True,
                external_data=False,
                # The optimiser would merge and rename weights; onnxruntime optimises when it loads.
                optimize=False,
                opset_version=18,
                verbose=False,
            )
        finally:
            logging.disable(logging.NOTSET)
    if program is None:
        raise WeightsError("the exporter gave no graph")
    fixed = [
        given.name
        for given in program.model_proto.graph.input
        if not given.type.tensor_type.shape.dim[0].dim_param
    ]
    if fixed:
        raise WeightsError(f"the graph is for one size of batch only, by its inputs {fixed}")
    return program.model_proto


def main(argv: Sequence[str] | None = None) -> int:
    """Write a graph from the command line; return the exit code."""

    def work() -> None:
        config = parsed(GraphConfig, argv, "python -m mirage_wm.onnx_graph", description=__doc__)
        print(f"wrote {write_graph(config.model)}")

    return ended(work)


if __name__ == "__main__":
    raise SystemExit(main())
