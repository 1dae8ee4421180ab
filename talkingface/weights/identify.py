"""Tells whose weights a file holds, by the names and ranks of its tensors, and cuts them into networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import WeightsError
from .files.pickle_types import record_of
from .files.records import TensorRecord

# Keys that only wrap what is wanted; averaged weights come before the plain ones.
_WRAPPERS = ("net_G_ema", "g_ema", "params_ema", "state_dict", "model_state_dict", "model", "params")
_TRAINING_KEYS = ("optimizer", "opt_", "sch_", "scheduler")
_MAX_DEPTH, _MAX_NAMES = 3, 100_000

Records = dict[str, TensorRecord]

LONE = "tensor"
"""Name given to the tensor of a file that holds nothing else."""


@dataclass(frozen=True)
class Recipe:
    """How the files of one model are told from all others.

    Attributes:
        model: name of the model.
        part: what the file is, in words.
        marks: tensor names and their ranks; all of them must be there.
        networks: network -> prefix of its tensors in the file.
    """

    model: str
    part: str
    marks: Mapping[str, int]
    networks: Mapping[str, str]


@dataclass(frozen=True)
class Recognised:
    """A file's networks.

    Attributes:
        model: whose they are; ``""`` where no recipe fits.
        part: what they are, in words.
        networks: network -> key -> record.
    """

    model: str
    part: str
    networks: dict[str, Records] = field(default_factory=dict)


def _same(*names: str) -> dict[str, str]:
    return {name: f"{name}." for name in names}


# What StyleHEAT_visual.pt holds; files with all of the model hold the networks inside its generator too.
_STYLEHEAT = {
    **_same("video_warper", "calibrator"),
    **{name: f"generator.{name}." for name in ("e4e_encoder", "hfgi_aligner", "hfgi_encoder", "stylegan")},
}
_FOM = _same("kp_detector", "generator", "discriminator")
RECIPES = (
    Recipe(
        "FOM", "keypoint detector and generator", {"kp_detector.predictor.encoder.down_blocks.0.conv.weight": 4}, _FOM
    ),
    Recipe("FOM", "generator", {"generator.dense_motion_network.mask.weight": 4}, _FOM),
    Recipe(
        "SadTalker",
        "package",
        {"kp_extractor.predictor.down_blocks.down0.conv.weight": 4, "generator.dense_motion_network.mask.weight": 5},
        _same("kp_extractor", "generator", "audio2exp", "audio2pose", "face_3drecon"),
    ),
    Recipe(
        "SadTalker",
        "renderer",
        {"generator.dense_motion_network.mask.weight": 5},
        {"kp_extractor": "kp_detector.", "generator": "generator.", "he_estimator": "he_estimator."},
    ),
    Recipe("SadTalker", "mapping", {"mapping.first.0.weight": 3, "mapping.fc_roll.weight": 2}, _same("mapping")),
    Recipe(
        "SadTalker",
        "head pose network",
        {"audio_encoder.audio_encoder.0.conv_block.0.weight": 4, "netG.encoder.classbias": 2},
        {"audio2pose": ""},
    ),
    Recipe(
        "SadTalker",
        "expression network",
        {"audio_encoder.0.conv_block.0.weight": 4, "mapping1.weight": 2},
        {"audio2exp": ""},
    ),
    Recipe("StyleHeat", "renderer", {"calibrator.conv_body_first.0.weight": 4}, _STYLEHEAT),
    Recipe(
        "StyleHeat",
        "video warper",
        {"mapping_net.first.0.weight": 3, "warping_net.hourglass.encoder.input_layer.weight": 4},
        {"video_warper": ""},
    ),
    Recipe(
        "StyleHeat",
        "video warper, as PIRenderer spells it",
        {"mapping_net.first.0.weight": 3, "warpping_net.hourglass.encoder.input_layer.weight": 4},
        {"video_warper": ""},
    ),
    Recipe(
        "StyleHeat",
        "e4e inversion",
        {"encoder.input_layer.0.weight": 4, "encoder.latlayer1.weight": 4},
        {"e4e_encoder": ""},
    ),
    Recipe(
        "StyleHeat",
        "HFGI inversion",
        {"aligner.conv_layer1.0.weight": 4},
        {"hfgi_aligner": "aligner.", "hfgi_encoder": "encoder."},
    ),
    Recipe("StyleHeat", "StyleGAN2 generator", {"style.1.weight": 2, "to_rgb1.conv.weight": 5}, {"stylegan": ""}),
    Recipe(
        "StyleHeat",
        "StyleGAN2 discriminator",
        {"final_conv.0.weight": 4, "final_linear.1.weight": 2},
        {"discriminator": ""},
    ),
    Recipe("StyleHeat", "direction of an edit", {LONE: 2}, {"direction": ""}),
    Recipe("StyleHeat", "direction of an edit, for each code", {LONE: 3}, {"direction": ""}),
    Recipe("StyleHeat", "principal components", {"mean": 2, "comp": 3, "std": 1}, {"components": ""}),
    Recipe("StyleHeat", "statistics of codes", {"X_comp": 2}, {"statistics": ""}),
    Recipe("StyleHeat", "inverted picture", {"w_latent": 3, "f_latent": 4}, {"inversion": ""}),
    Recipe("StyleHeat", "expressions", {"expression_center": 1, "expression_mouth": 1}, {"expressions": ""}),
    Recipe("Deep3D", "face reconstruction", {"net_recon.backbone.conv1.weight": 4}, {"net_recon": "net_recon."}),
    Recipe(
        "Deep3D",
        "face reconstruction, the network alone",
        {"backbone.conv1.weight": 4, "final_layers.0.weight": 4},
        {"net_recon": ""},
    ),
    Recipe(
        "ArcFace",
        "identity network (iresnet)",
        {"conv1.weight": 4, "prelu.weight": 1, "features.weight": 1, "fc.weight": 2},
        {"recog": ""},
    ),
    Recipe("ArcFace", "identity network", {"input_layer.0.weight": 4, "output_layer.3.weight": 2}, {"identity": ""}),
    Recipe("RetinaFace", "face finder", {"body.conv1.weight": 4, "ClassHead.0.conv1x1.weight": 4}, {"retinaface": ""}),
    Recipe("WFLW98", "98-point network", {"conv1.conv.weight": 4, "m0.coordconv.conv.weight": 4}, {"landmarks": ""}),
    Recipe("GFPGAN", "face restorer", {"stylegan_decoder.style_mlp.1.weight": 2, "toRGB.0.weight": 4}, {"gfpgan": ""}),
    Recipe(
        "RestoreFormer",
        "face restorer",
        {"quantize.embedding.weight": 2, "encoder.conv_in.weight": 4, "decoder.conv_out.weight": 4},
        {"restoreformer": ""},
    ),
    Recipe("RealESRGAN", "upscaler", {"conv_first.weight": 4, "body.0.rdb1.conv1.weight": 4}, {"realesrgan": ""}),
    Recipe("VGG19", "image features", {"features.0.weight": 4, "features.34.weight": 4}, {"vgg": ""}),
)


def recognise(tree: Mapping[str, Any]) -> Recognised:
    """Whose weights a tree holds. Containers are unwrapped, ``module.`` prefixes and training states left out.

    Where no recipe fits, each dictionary of the top level is a network, and loose tensors are one without a name.

    Raises:
        WeightsError: if there is no tensor in it.
    """
    names = flatten(unwrap(tree))
    if not names:
        raise WeightsError("it holds no weights")
    for recipe in RECIPES:
        if all(name in names and len(names[name].shape) == rank for name, rank in recipe.marks.items()):
            return Recognised(recipe.model, recipe.part, _cut(names, recipe.networks))
    return Recognised("", "weights of an unknown model", _groups(unwrap(tree)))


def split(records: Mapping[str, TensorRecord]) -> dict[str, Records]:
    """Networks of a file whose keys are ``<network>.<key>``."""
    networks: dict[str, Records] = {}
    for name, record in records.items():
        network, _, key = name.partition(".")
        networks.setdefault(network, {})[key] = record
    return networks


def unwrap(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The dictionary inside containers such as ``{"state_dict": ...}``."""
    for _ in range(_MAX_DEPTH):
        inner = next((tree[key] for key in _WRAPPERS if isinstance(tree.get(key), Mapping) and tree[key]), None)
        if inner is None:
            break
        tree = inner
    return tree


def flatten(tree: Mapping[str, Any]) -> Records:
    """All tensors of a tree by their dotted names."""
    found: Records = {}
    for name, value in _walk(tree, "", _MAX_DEPTH):
        found[name] = value
    return _without_module(found)


def _walk(tree: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, TensorRecord]]:
    """Tensors of a tree. One dictionary may be named in many places, so the visits are counted."""
    stack: list[tuple[str, Any, int]] = [(prefix, tree, depth)]
    visits = 0
    while stack:
        name, value, left = stack.pop()
        visits += len(value) if isinstance(value, Mapping) else 1
        if visits > _MAX_NAMES:
            raise WeightsError(f"it has more than {_MAX_NAMES} entries")
        record = record_of(value)
        if record is not None:
            yield name, record
        elif isinstance(value, Mapping) and left:
            inner = [(f"{name}.{key}" if name else key, item, left - 1) for key, item in value.items() if _wanted(key)]
            stack.extend(reversed(inner))


def _wanted(key: Any) -> bool:
    return isinstance(key, str) and len(key) < 512 and not key.startswith(_TRAINING_KEYS)


def _without_module(names: Records) -> Records:
    """Leave out the ``module.`` that data-parallel wrappers put in front of a network's keys."""
    if names and all(name.startswith("module.") for name in names):
        return {name.removeprefix("module."): record for name, record in names.items()}
    networks = split(names)
    wrapped = {network for network, state in networks.items() if all(key.startswith("module.") for key in state)}
    return {_without(name, wrapped): record for name, record in names.items()}


def _without(name: str, wrapped: set[str]) -> str:
    network, _, key = name.partition(".")
    return f"{network}.{key.removeprefix('module.')}" if network in wrapped else name


def _cut(names: Records, prefixes: Mapping[str, str]) -> dict[str, Records]:
    networks = {
        network: {name.removeprefix(prefix): record for name, record in names.items() if name.startswith(prefix)}
        for network, prefix in prefixes.items()
    }
    return {network: state for network, state in networks.items() if state}


def _groups(tree: Mapping[str, Any]) -> dict[str, Records]:
    groups = {str(key): flatten(value) for key, value in tree.items() if isinstance(value, Mapping) and _wanted(key)}
    loose = flatten({key: value for key, value in tree.items() if not isinstance(value, Mapping)})
    return {network: state for network, state in {**groups, "": loose}.items() if state}
