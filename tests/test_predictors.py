"""What runs a model gives the same, whatever it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import SMALL, enlivened, write_model

from mirage_wm._net import Net
from mirage_wm.host_predictors import HostPredictor, NativePredictor, OnnxPredictor
from mirage_wm.onnx_graph import write_graph
from mirage_wm.predictors import TorchPredictor, make_predictor
from mirage_wm.rewards import REWARDS
from mirage_wm.unet_config import UNetConfig
from mirage_wm.weights import WeightsError, save_weights

KINDS = ["regression", "diffusion"]
TOLD = len(REWARDS) + 1
"""Numbers that a net tells beside a picture: of the rewards, and of the ending."""
SIZES: dict[str, Any] = {
    "edge": 64,
    "frames": 4,
    "extra": 0,
    "widths": SMALL.widths,
    "blocks": SMALL.blocks,
    "embedding": SMALL.embedding,
    "told": TOLD,
    "kernels": SMALL.kernels,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small model of each kind, with its graph."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {kind: write_model(folder, kind, kind=kind) for kind in KINDS}
    for path in paths.values():
        write_graph(path)
    return paths


def moments(n: int, context: int = 4) -> tuple[Any, Any, Any]:
    """Return frames, actions and keys of n dreams."""
    rng = np.random.default_rng(n)
    seen = rng.integers(0, 256, (n, context, 64, 64, 3), dtype=np.uint8)
    return seen, rng.integers(0, 12, (n, context)), rng.integers(0, 2**32, n)


def assert_alike(host: HostPredictor, torch: TorchPredictor, n: int) -> None:
    seen, actions, keys = moments(n, host.context)
    wanted = torch.outputs(torch.take(seen), actions, keys)
    frame, *heads = host.outputs(seen, actions, keys)
    assert wanted.frame.std() > 0.1
    assert np.abs(frame - wanted.frame.permute(0, 2, 3, 1).numpy()).max() < 1e-3
    for got, part in zip(heads, wanted[1:], strict=True):
        assert np.abs(got - part.numpy()).max() < 1e-3
    ours = host.predict(seen, actions, keys)
    theirs = torch.predict(torch.take(seen), actions, keys)
    assert np.abs(ours[0].astype(int) - theirs[0].numpy()).max() <= 1
    assert np.array_equal(ours[1], theirs[1])
    assert np.array_equal(ours[2], theirs[2])


@pytest.mark.parametrize("runtime", [NativePredictor, OnnxPredictor])
@pytest.mark.parametrize(
    ("kind", "steps"), [("regression", None), *(("diffusion", s) for s in (1, 2, 3))]
)
def test_on_the_cpu_the_same_is_dreamt_as_by_torch(
    models: dict[str, Path], runtime: Any, kind: str, steps: int | None
) -> None:
    torch = TorchPredictor(models[kind], "cpu", 1, steps)
    for n in (1, 3):
        assert_alike(runtime(models[kind], 1, steps), torch, n)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(widths=(24, 40, 56), blocks=2, embedding=12, context=3, kernels=3),
        UNetConfig(widths=(16, 8, 24, 8), blocks=1, embedding=20, context_noise=True),
        UNetConfig(widths=(10,), blocks=3, embedding=7, context=1),
    ],
    ids=["three levels", "four", "one"],
)
def test_the_native_net_can_have_any_sizes(tmp_path: Path, kind: str, config: UNetConfig) -> None:
    path = save_weights(tmp_path, "odd", enlivened(kind, config, 1), {})
    assert_alike(NativePredictor(path, 1), TorchPredictor(path, "cpu", 1), 2)


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_the_native_net_dreams_the_shipped_models(name: str) -> None:
    assert_alike(NativePredictor(name, 2), TorchPredictor(name, "cpu", 1), 2)


def weights_of(path: Path) -> dict[str, Any]:
    """Return the weights of a small regression's net as the extension takes them."""
    tensors = NativePredictor(path, 1)._tensors
    return {k.removeprefix("unet."): v for k, v in tensors.items() if k.startswith("unet.")}


def run(net: Net, n: int) -> tuple[Any, Any]:
    """Let a small regression's net see some noise; return what it gives."""
    condition = np.random.default_rng(5).normal(size=(n, SMALL.embedding)).astype(np.float32)
    pictures, told = np.empty((n, 64, 64, 3), np.float32), np.empty((n, TOLD), np.float32)
    net.run(moments(n)[0], None, condition, pictures, told)
    return pictures, told


def small_net(path: Path, threads: int = 1, instructions: Any = "auto") -> Net:
    return Net(weights_of(path), **SIZES, num_threads=threads, instructions=instructions)


@pytest.mark.parametrize("instructions", ["v4", "v3", "plain"])
def test_every_set_of_instructions_gives_the_same(
    models: dict[str, Path], instructions: str
) -> None:
    wanted = run(small_net(models["regression"]), 2)
    try:
        net = small_net(models["regression"], 1, instructions)
    except ValueError as error:
        pytest.skip(str(error))
    for got, part in zip(run(net, 2), wanted, strict=True):
        assert np.abs(got - part).max() < 1e-4


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_threads_and_neighbours_change_nothing(
    models: dict[str, Path], threads: int, n: int
) -> None:
    one, several = small_net(models["regression"]), small_net(models["regression"], threads)
    for _ in range(3):  # buffers are used again
        for got, part in zip(run(several, n), run(one, n), strict=True):
            assert np.array_equal(got, part)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dream_does_not_depend_on_how_many_others_there_are(
    models: dict[str, Path], kind: str
) -> None:
    predictor = NativePredictor(models[kind], 2)
    seen, actions, keys = moments(7)
    together = predictor.outputs(seen, actions, keys)
    for i in range(7):
        row = slice(i, i + 1)
        alone = predictor.outputs(seen[row], actions[row], keys[row])
        for got, part in zip(alone, together, strict=True):
            assert np.array_equal(got, part[row])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and later
def test_a_forked_process_can_go_on_with_a_threaded_net(models: dict[str, Path]) -> None:
    net = small_net(models["regression"], 2)
    wanted = run(net, 1)[0]
    child = os.fork()
    if not child:
        os._exit(int(not np.array_equal(run(net, 1)[0], wanted)))
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(run(net, 1)[0], wanted)


def test_arrays_that_do_not_fit_are_refused_and_nothing_is_written(models: dict[str, Path]) -> None:
    net = small_net(models["regression"])
    condition = np.zeros((1, SMALL.embedding), np.float32)
    pictures = np.full((1, 64, 64, 3), 7, np.float32)
    told = np.full((1, TOLD), 7, np.float32)
    seen = moments(1)[0]
    for given in (
        (seen[:, :3].copy(), None, condition, pictures, told),
        (moments(2)[0], None, condition, pictures, told),
        (seen, np.zeros((1, 3, 64, 64), np.float32), condition, pictures, told),
        (seen, None, condition[:, 1:].copy(), pictures, told),
        (seen, None, condition, pictures, told[:, 1:].copy()),
    ):
        with pytest.raises(ValueError, match="differ from it in shape"):
            net.run(*given)
    assert (pictures == 7).all()
    assert (told == 7).all()


def test_weights_that_are_missing_or_of_another_shape_are_named(models: dict[str, Path]) -> None:
    weights = weights_of(models["regression"])
    short = {name: array for name, array in weights.items() if name != "down.0.bias"}
    with pytest.raises(ValueError, match=r"down\.0\.bias is missing"):
        Net(short, **SIZES, num_threads=1)
    thin = {**weights, "stem.weight": weights["stem.weight"][:, 1:].copy()}
    with pytest.raises(ValueError, match=r"stem\.weight is 8x47x3x3, not 8x48x3x3"):
        Net(thin, **SIZES, num_threads=1)
    with pytest.raises(ValueError, match="edge of 60"):
        Net(weights, **{**SIZES, "edge": 60}, num_threads=1)


def test_a_net_of_another_make_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    path = write_model(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    card["architecture"]["attention"] = True
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="architecture of small is not known here"):
        NativePredictor(path)


def test_the_fastest_runtime_is_taken(models: dict[str, Path]) -> None:
    path = models["regression"]
    assert isinstance(make_predictor(path, "cpu"), NativePredictor)
    assert isinstance(make_predictor(path, "cpu", "onnx"), OnnxPredictor)
    assert isinstance(make_predictor(path, "cpu", "torch"), TorchPredictor)


def test_a_graph_has_one_operation_for_each_border_and_no_weights(
    models: dict[str, Path],
) -> None:
    onnx = pytest.importorskip("onnx")
    model = models["regression"]
    graph = onnx.load(model.with_suffix(".onnx"), load_external_data=False).graph
    kinds = [node.op_type for node in graph.node]
    convolutions = sum(kernel.dims[2:] == [3, 3] for kernel in graph.initializer)
    assert convolutions > 6
    assert kinds.count("Pad") == convolutions
    assert not {"SequenceAt", "SplitToSequence", "Pow"} & set(kinds)
    assert model.with_suffix(".onnx").stat().st_size < 100_000
