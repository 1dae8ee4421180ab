"""Identify the model that a weight file belongs to, by names and ranks of its tensors, and split it into networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import WeightsError
from .files.pickle_types import record_of
from .files.records import TensorRecord

# Keys of containers around the weights; averaged weights take precedence over the plain ones.
_WRAPPERS = ("net_G_ema", "g_ema", "params_ema", "state_dict", "model_state_dict", "model", "params")
_TRAINING_KEYS = ("optimizer", "opt_", "sch_", "scheduler")
_MAX_DEPTH, _MAX_NAMES = 3, 100_000

Records = dict[str, TensorRecord]

SINGLE_TENSOR = "tensor"
"""Name given to the only tensor of a file."""


@dataclass(frozen=True)
class Signature:
    """Tensors that identify one kind of weight file.

    Attributes:
        model: name of the model.
        part: description of the file, for messages.
        marks: tensor names and their ranks; all of them must be present.
        networks: network -> prefix of its tensors in the file.
    """

    model: str
    part: str
    marks: Mapping[str, int]
    networks: Mapping[str, str]


@dataclass(frozen=True)
class Identified:
    """Networks of one file.

    Attributes:
        model: name of the model; ``""`` where no signature matches.
        part: description of the file, for messages.
        networks: network -> key -> record.
    """

    model: str
    part: str
    networks: dict[str, Records] = field(default_factory=dict)


def _same(*names: str) -> dict[str, str]:
    return {name: f"{name}." for name in names}


# Content of StyleHEAT_visual.pt; files of the complete model also hold the networks inside its generator.
_STYLEHEAT = {
    **_same("video_warper", "calibrator"),
    **{name: f"generator.{name}." for name in ("e4e_encoder", "hfgi_aligner", "hfgi_encoder", "stylegan")},
}
_FOM = _same("kp_detector", "generator", "discriminator")
SIGNATURES = (
    Signature(
        "FOM", "keypoint detector and generator", {"kp_detector.predictor.encoder.down_blocks.0.conv.weight": 4}, _FOM
    ),
    Signature("FOM", "generator", {"generator.dense_motion_network.mask.weight": 4}, _FOM),
    Signature(
        "SadTalker",
        "package",
        {"kp_extractor.predictor.down_blocks.down0.conv.weight": 4, "generator.dense_motion_network.mask.weight": 5},
        _same("kp_extractor", "generator", "audio2exp", "audio2pose", "face_3drecon"),
    ),
    Signature(
        "SadTalker",
        "renderer",
        {"generator.dense_motion_network.mask.weight": 5},
        {"kp_extractor": "kp_detector.", "generator": "generator.", "he_estimator": "he_estimator."},
    ),
    Signature("SadTalker", "mapping", {"mapping.first.0.weight": 3, "mapping.fc_roll.weight": 2}, _same("mapping")),
    Signature(
        "SadTalker",
        "head pose network",
        {"audio_encoder.audio_encoder.0.conv_block.0.weight": 4, "netG.encoder.classbias": 2},
        {"audio2pose": ""},
    ),
    Signature(
        "SadTalker",
        "expression network",
        {"audio_encoder.0.conv_block.0.weight": 4, "mapping1.weight": 2},
        {"audio2exp": ""},
    ),
    Signature("StyleHeat", "renderer", {"calibrator.conv_body_first.0.weight": 4}, _STYLEHEAT),
    Signature(
        "StyleHeat",
        "video warper",
        {"mapping_net.first.0.weight": 3, "warping_net.hourglass.encoder.input_layer.weight": 4},
        {"video_warper": ""},
    ),
    Signature(
        "StyleHeat",
        "video warper, as PIRenderer spells it",
        {"mapping_net.first.0.weight": 3, "warpping_net.hourglass.encoder.input_layer.weight": 4},
        {"video_warper": ""},
    ),
    Signature(
        "StyleHeat",
        "e4e inversion",
        {"encoder.input_layer.0.weight": 4, "encoder.latlayer1.weight": 4},
        {"e4e_encoder": ""},
    ),
    Signature(
        "StyleHeat",
        "HFGI inversion",
        {"aligner.conv_layer1.0.weight": 4},
        {"hfgi_aligner": "aligner.", "hfgi_encoder": "encoder."},
    ),
    Signature("StyleHeat", "StyleGAN2 generator", {"style.1.weight": 2, "to_rgb1.conv.weight": 5}, {"stylegan": ""}),
    Signature(
        "StyleHeat",
        "StyleGAN2 discriminator",
        {"final_conv.0.weight": 4, "final_linear.1.weight": 2},
        {"discriminator": ""},
    ),
    Signature("StyleHeat", "direction of an edit", {SINGLE_TENSOR: 2}, {"direction": ""}),
    Signature("StyleHeat", "direction of an edit, for each code", {SINGLE_TENSOR: 3}, {"direction": ""}),
    Signature("StyleHeat", "principal components", {"mean": 2, "comp": 3, "std": 1}, {"components": ""}),
    Signature("StyleHeat", "statistics of codes", {"X_comp": 2}, {"statistics": ""}),
    Signature("StyleHeat", "inverted picture", {"w_latent": 3, "f_latent": 4}, {"inversion": ""}),
    Signature("StyleHeat", "expressions", {"expression_center": 1, "expression_mouth": 1}, {"expressions": ""}),
    Signature("Deep3D", "face reconstruction", {"net_recon.backbone.conv1.weight": 4}, {"net_recon": "net_recon."}),
    Signature(
        "Deep3D",
        "face reconstruction, the network alone",
        {"backbone.conv1.weight": 4, "final_layers.0.weight": 4},
        {"net_recon": ""},
    ),
    Signature(
        "ArcFace",
        "identity network (iresnet)",
        {"conv1.weight": 4, "prelu.weight": 1, "features.weight": 1, "fc.weight": 2},
        {"recog": ""},
    ),
    Signature("ArcFace", "identity network", {"input_layer.0.weight": 4, "output_layer.3.weight": 2}, {"identity": ""}),
    Signature(
        "RetinaFace", "face finder", {"body.conv1.weight": 4, "ClassHead.0.conv1x1.weight": 4}, {"retinaface": ""}
    ),
    Signature("WFLW98", "98-point network", {"conv1.conv.weight": 4, "m0.coordconv.conv.weight": 4}, {"landmarks": ""}),
    Signature(
        "GFPGAN", "face restorer", {"stylegan_decoder.style_mlp.1.weight": 2, "toRGB.0.weight": 4}, {"gfpgan": ""}
    ),
    Signature(
        "RestoreFormer",
        "face restorer",
        {"quantize.embedding.weight": 2, "encoder.conv_in.weight": 4, "decoder.conv_out.weight": 4},
        {"restoreformer": ""},
    ),
    Signature("RealESRGAN", "upscaler", {"conv_first.weight": 4, "body.0.rdb1.conv1.weight": 4}, {"realesrgan": ""}),
    Signature("VGG19", "image features", {"features.0.weight": 4, "features.34.weight": 4}, {"vgg": ""}),
    Signature("AlexNet", "image features", {"features.3.weight": 4, "features.6.weight": 4}, {"lpips": ""}),
    Signature("LPIPS", "weights of channels", {"lin0.model.1.weight": 4, "lin4.model.1.weight": 4}, {"lpips": ""}),
    Signature(
        "FIDInception",
        "image features",
        {"Conv2d_1a_3x3.conv.weight": 4, "Mixed_7c.branch_pool.conv.weight": 4},
        {"inception": ""},
    ),
    Signature("I3D", "video features", {"Conv3d_1a_7x7.conv3d.weight": 5, "logits.conv3d.weight": 5}, {"i3d": ""}),
    Signature("SyncNet", "lips and sound", {"netcnnaud.0.weight": 4, "netcnnlip.0.weight": 5}, {"syncnet": ""}),
)


def identify(tree: Mapping[str, Any]) -> Identified:
    """Identify the model and the networks of a tree. Containers, ``module.`` prefixes and optimizer states are removed.

    Where no signature matches, each dictionary of the top level is a network; loose tensors form a network named "".

    Raises:
        WeightsError: if the tree holds no tensor.
    """
    names = flatten(unwrap(tree))
    if not names:
        raise WeightsError("it holds no weights")
    for signature in SIGNATURES:
        if all(name in names and len(names[name].shape) == rank for name, rank in signature.marks.items()):
            return Identified(signature.model, signature.part, _cut(names, signature.networks))
    return Identified("", "weights of an unknown model", _groups(unwrap(tree)))


def split(records: Mapping[str, TensorRecord]) -> dict[str, Records]:
    """Split records with keys ``<network>.<key>`` into networks."""
    networks: dict[str, Records] = {}
    for name, record in records.items():
        network, _, key = name.partition(".")
        networks.setdefault(network, {})[key] = record
    return networks


def unwrap(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the dictionary inside containers such as ``{"state_dict": ...}``."""
    for _ in range(_MAX_DEPTH):
        inner = next((tree[key] for key in _WRAPPERS if isinstance(tree.get(key), Mapping) and tree[key]), None)
        if inner is None:
            break
        tree = inner
    return tree


def flatten(tree: Mapping[str, Any]) -> Records:
    """Collect all tensors of a tree by their dotted names."""
    return _strip_module(dict(_walk(tree, _MAX_DEPTH)))


def _walk(tree: Mapping[str, Any], depth: int) -> Iterator[tuple[str, TensorRecord]]:
    """Yield the tensors of a tree. A dictionary may be referenced many times, so the number of visits is limited."""
    stack: list[tuple[str, Any, int]] = [("", tree, depth)]
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


def _strip_module(names: Records) -> Records:
    """Remove the prefix ``module.`` that data-parallel wrappers add to a network's keys."""
    if names and all(name.startswith("module.") for name in names):
        return {name.removeprefix("module."): record for name, record in names.items()}
    networks = split(names)
    wrapped = {network for network, state in networks.items() if all(key.startswith("module.") for key in state)}
    prefixes = tuple(f"{network}.module." for network in wrapped)
    return {
        name.replace(".module.", ".", 1) if name.startswith(prefixes) else name: record
        for name, record in names.items()
    }


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
