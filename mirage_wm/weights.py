"""Weights in files: fp16 safetensors, never pickle, each with a card that says what it is.

``NAME.safetensors`` holds the tensors and ``NAME.json``, the card, its SHA-256, its architecture,
the version of the rules it learned and its figures. They lie in ``weights/`` of a checkout of the
source, in ``mirage_wm/weights/`` of an installed wheel, or where a user puts them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import import_extra
from mirage_env.rules import RULES_VERSION, Rules
from mirage_env.whole_file import write_together, write_whole
from mirage_wm.unet_config import UNetConfig

if TYPE_CHECKING:
    from mirage_wm.models import Model

__all__ = [
    "Card",
    "WeightsError",
    "architecture",
    "available",
    "card_path",
    "graph_bytes",
    "load_model",
    "load_tensors",
    "read_card",
    "save_weights",
]

KINDS = ("regression", "diffusion")
"""The kinds of models that this version knows (`mirage_wm.models`)."""

FOLDERS = (Path(__file__).parent / "weights", Path(__file__).parent.parent / "weights")
"""Where the weights of the project are: in a wheel, in a checkout."""


CARD_TYPES = {
    "name": str,
    "sha256": str,
    "rules_version": int,
    "architecture": dict,
    "graph_sha256": str,
    "rules": dict,
}
"""What loading reads off a card, and of which types."""


class WeightsError(ValueError):
    """A file of weights that cannot be used; the message says why."""


@dataclass(frozen=True)
class Card:
    """What is known of a file of weights.

    Attributes:
        name: Of the model, such as "v1".
        sha256: Of the safetensors file.
        rules_version: Of the game that it learned.
        architecture: Kind of the model and the fields of its `UNetConfig`.
        parameters: How many numbers it has.
        training: How it was trained.
        figures: What `mirage_wm.evaluate` measured.
        graph_sha256: Of ``NAME.onnx``, the net for onnxruntime; empty where there is none.
        rules: The fields of the rules it learned that differ from the standard `Rules`.
    """

    name: str
    sha256: str
    rules_version: int
    architecture: dict[str, Any]
    parameters: int
    training: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    graph_sha256: str = ""
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Kind of the model, a name of `KINDS`."""
        return self.architecture.get("kind", "")

    def learned_rules(self) -> Rules:
        """Return the rules that it learned; raise `WeightsError` if they are none."""
        try:
            return Rules(**self.rules)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"the rules of {self.name} are not known here: {error}") from error

    def write(self, path: Path) -> None:
        """Write the card as JSON, all of it or nothing."""
        write_whole(path, self.to_json())

    def to_json(self) -> bytes:
        """Return what `write` writes."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def available() -> list[str]:
    """Return the names of the models that come with the project."""
    return sorted({path.stem for folder in FOLDERS for path in folder.glob("*.safetensors")})


def save_weights(
    folder: Path,
    name: str,
    model: Model,
    training: dict[str, Any],
    rules: dict[str, Any] | None = None,
) -> Path:
    """Write a model as fp16 and its card.

    Args:
        folder: Where to.
        name: Of the model.
        model: The model.
        training: How it was trained, for the card.
        rules: The fields of the rules it learned that are not the standard ones.

    Returns:
        The path of the safetensors file.

    Raises:
        WeightsError: If the weights are not numbers, or cannot be written; what was there is left.
    """
    save = import_extra("safetensors.numpy", "wm", "writing weights").save
    from mirage_wm.models import kind_of

    arrays = {
        key: tensor.detach().cpu().numpy().astype(np.float16)
        for key, tensor in model.state_dict().items()
    }
    broken = [key for key, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise WeightsError(
            f"{broken[0]} of {name} is not finite in fp16: this model cannot be saved"
        )
    architecture = {"kind": kind_of(model), **asdict(model.config)}
    metadata = {
        "name": name,
        "rules_version": str(RULES_VERSION),
        "architecture": json.dumps(architecture),
    }
    data = save({key: np.ascontiguousarray(array) for key, array in arrays.items()}, metadata)
    parameters = sum(array.size for array in arrays.values())
    path = folder / f"{name}.safetensors"
    card = Card(
        name,
        hashlib.sha256(data).hexdigest(),
        RULES_VERSION,
        architecture,
        parameters,
        training,
        rules=rules or {},
    )
    try:
        write_together({path: data, path.with_suffix(".json"): card.to_json()})
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror}") from error
    return path


def card_path(model: str | Path) -> Path:
    """Return the path of the card of a model: one of the project's by name, another by its file."""
    if not isinstance(model, (str, Path)):
        raise WeightsError(f"model must be a name or a path, got {model!r}")
    path = Path(model)
    if path.suffix in (".safetensors", ".json"):
        return path.with_suffix(".json")
    for folder in FOLDERS:
        if (folder / f"{model}.safetensors").is_file():
            return folder / f"{model}.json"
    names = ", ".join(repr(name) for name in available()) or "none"
    raise WeightsError(
        f"there is no model {str(model)!r}; those that come with the project: {names}; "
        "or give the path of a .safetensors file"
    )


def load_tensors(model: str | Path = "v1") -> tuple[Card, dict[str, NDArray[np.float32]]]:
    """Read a model's weights, checked against its card, as float32.

    Raises:
        WeightsError: If there is no such model, or the file is not what its card says, or it is for
            other rules or by another version of this program.
    """
    path = card_path(model)
    card = _read_card(path)
    if card.kind not in KINDS:
        raise WeightsError(
            f"{card.name} is a model of kind {card.kind!r}; this version knows "
            f"{', '.join(map(repr, KINDS))}"
        )
    file = path.with_suffix(".safetensors")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {file}: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != card.sha256:
        raise WeightsError(
            f"{file} is not the file its card {path.name} describes (SHA-256 {found[:12]}…, wanted "
            f"{card.sha256[:12]}…): it was changed or cut short; fetch it again"
        )
    if card.rules_version != RULES_VERSION:
        raise WeightsError(
            f"{file.name} learned the game of rules version {card.rules_version}, this is version "
            f"{RULES_VERSION}: install the version of mirage-env that it belongs to, or train anew"
        )
    load = import_extra("safetensors.numpy", "dream", "reading weights").load
    try:
        arrays = load(data)
    except Exception as error:
        raise WeightsError(f"{file} is not a safetensors file: {error}") from error
    return card, {name: array.astype(np.float32) for name, array in arrays.items()}


def graph_bytes(model: str | Path, card: Card) -> bytes:
    """Return the net of a model as an ONNX graph without weights, checked against its card.

    Raises:
        WeightsError: If there is none, or it is not the one the card describes.
    """
    path = card_path(model).with_suffix(".onnx")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{card.name} has no graph for onnxruntime ({path}: {error.strerror}): take "
            "runtime='torch', or write it by `python -m mirage_wm.onnx_graph`"
        ) from error
    if hashlib.sha256(data).hexdigest() != card.graph_sha256:
        raise WeightsError(
            f"{path} is not the file its card describes: it was changed or cut short; fetch it "
            "again, or write it anew by `python -m mirage_wm.onnx_graph`"
        )
    return data


def read_card(model: str | Path) -> Card:
    """Return the card of a model."""
    return _read_card(card_path(model))


def load_model(model: str | Path = "v1", device: str = "cpu") -> Model:
    """Return a model ready to predict, on a device.

    Raises:
        WeightsError: See `load_tensors`; also if the tensors do not fit the architecture.
    """
    torch = import_extra("torch", "wm", "a model")
    from mirage_wm.models import make_model

    card, arrays = load_tensors(model)
    net = make_model(card.kind, architecture(card))
    try:
        net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    except RuntimeError as error:
        raise WeightsError(
            f"the tensors of {card.name} do not fit its architecture: {error}"
        ) from error
    return (
        net.eval()
        .requires_grad_(False)
        .to(device)
        .to(  # pyright: ignore[reportCallIssue]
            memory_format=torch.channels_last
        )
    )


def architecture(card: Card) -> UNetConfig:
    """Return the `UNetConfig` of a card; raise `WeightsError` for one that is not known here."""
    sizes = dict(card.architecture)
    sizes.pop("kind", None)
    try:
        return UNetConfig(**{**sizes, "widths": tuple(sizes["widths"])})
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"the architecture of {card.name} is not known here: {card.architecture} ({error})"
        ) from error


def _read_card(path: Path) -> Card:
    try:
        card = Card(**json.loads(path.read_text()))
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}, the card that says what these weights are: {error.strerror}"
        ) from error
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path} is not a card of weights: {error}") from error
    for name, kind in CARD_TYPES.items():
        if not isinstance(getattr(card, name), kind):
            raise WeightsError(
                f"{path} is not a card of weights: {name} must be a {kind.__name__}, "
                f"got {getattr(card, name)!r}"
            )
    return card
