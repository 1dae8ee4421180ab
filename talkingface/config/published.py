"""Flags of the published programs -> our settings, so that known command lines can be typed as they are.

docs/from-other-programs.md lists the commands; a test types each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..errors import ConfigError, TalkingFaceError, collected, did_you_mean


@dataclass(frozen=True)
class Given:
    """A value that is set in a file, a flag or an argument.

    Attributes:
        key: dotted name of the setting.
        value: as written; the schema converts and checks it.
        origin: the file or flag it came from.
    """

    key: str
    value: Any
    origin: str


LETTERS: dict[str, str] = {
    "-s": "--image_source",
    "-d": "--video_source",
    "-o": "--output_dir",
    "-m": "--model",
    "-c": "--config",
}
"""Flags of one letter -> ours."""

RENAMED: dict[str, str] = {
    "source_image": "image_source",
    "source": "image_source",
    "driving_video": "video_source",
    "driving_image": "video_source",
    "driving_info": "video_source",
    "driving": "video_source",
    "driven_audio": "audio_path",
    "audio_source": "audio_path",
    "audio_priority": "audio",
    "result_video": "output",
    "result_dir": "output_dir",
    "log_dir": "output_dir",
    "checkpoint_dir": "checkpoint_root",
    "checkpoint_path": "checkpoint",
    "weight_path": "checkpoint",
    "load": "checkpoint",
    "evaluate_model_file": "checkpoint",
    "config_path": "config",
    "config_file": "config",
    "config_files": "config",
    "mode": "run_mode",
    "runmode": "run_mode",
    "size": "image_size",
    "driving_multiplier": "expression_scale",
    "flag_relative": "relative",
    "flag_relative_motion": "relative",
    "flag_do_crop": "if_align",
    "data_root": "data.root",
    "max_steps": "train.max_steps",
    "epochs": "train.epochs",
    "resume": "train.resume",
    "stage": "train.stage",
    "raw": "prepare.raw",
    "engine": "prepare.engine",
    "workers": "prepare.workers",
    "list": "prepare.list",
    "ray_address": "prepare.ray_address",
    "data_range": "prepare.data_range",
    "dataset_version": "prepare.dataset_version",
    "min_frames": "prepare.min_frames",
    "max_frames": "prepare.max_frames",
    "min_size": "prepare.min_size",
    "min_found": "prepare.min_found",
    "increase": "prepare.increase",
    "iou": "prepare.iou",
    "iou_with_initial": "prepare.iou",
    "sample_if_missing": "data.sample_if_missing",
    "edit_expression_only": "still",
}
"""Flag of the published programs -> our setting."""

SHORTHANDS: dict[str, tuple[str, str]] = {
    "cpu": ("device", "cpu"),
    "flag_force_cpu": ("device", "cpu"),
    "side_by_side": ("compare", "true"),
    "multi_person": ("face", "all"),
    "face_enhancement": ("enhancer", "gfpgan"),
    "flag_pasteback": ("preprocess", "full"),
    "no_flag_pasteback": ("preprocess", "crop"),
    "flag_do_torch_compile": ("compile", "on"),
    "evaluate_only": ("run_mode", "evaluate"),
    "no_resume": ("train.resume", ""),
}
"""Switch of the published programs -> our setting and its value."""

CHOICES: dict[str, dict[str, tuple[str, str] | None]] = {
    "face_detector": {
        "sfd": ("landmarks", "face_alignment"),
        "s3fd": ("landmarks", "face_alignment"),
        "blazeface": ("landmarks", "mesh"),
    },
    "animation_region": {"all": None, "exp": ("still", "true"), "pose": ("pose_only", "true")},
    "facerender": {"facevid2vid": None},
}
"""Flag of the published programs -> its words -> our setting and its value; None: what happens anyway."""

WORDS: dict[str, dict[str, str]] = {
    "run_mode": {"animate": "infer", "inference": "infer", "reconstruction": "evaluate", "test": "evaluate"},
    "precision": {"fp32": "float32", "bfloat16": "bf16"},
    "enhancer": {"GFPGAN": "gfpgan", "restoreformer": "RestoreFormer"},
    "background_enhancer": {"RealESRGAN": "realesrgan"},
}
"""Value of the published programs -> ours, by setting."""

_STREAMED = "frames are read and written one after another, so nothing has to be cut into pieces"
_PROCESSES = "one process uses one device, and torchrun starts several"
_STITCHED = "a face is put back with a soft edge; --paste chooses another"

NEEDLESS: dict[str, str] = {
    "single_gpu": _PROCESSES,
    "local_rank": _PROCESSES,
    "slice_size": _STREAMED,
    "enable_audio": "--audio_path alone drives by a sound",
    "flag_crop_driving_video": "driving videos are cut to the face unless --no-if_align says otherwise",
    "flag_use_half_precision": "--precision chooses, by default what the device is fast at",
    "flag_stitching": _STITCHED,
    "flag_normalize_lip": "the change since the first driving frame is carried over, closed lips stay closed",
    "flag_do_rot": "the framing follows the weights",
    "driving_option": "--relative and --expression_scale say how motion is carried over",
}
"""Flag of the published programs -> the reason why it sets nothing here."""

TAKES_VALUE = frozenset({"local_rank", "slice_size", "driving_option"})
"""Those of `NEEDLESS` that a value follows."""

_WEIGHTS = "Weights are recognised by what is in them: --checkpoint=sadtalker_old (or _old_full) takes the old files."
_RECONSTRUCTION = (
    "The published reconstruction network is taken as it is where its files are there; see docs/face3d.md."
)
_VIEW = "--face3dvis draws the reconstructed face in the picture's own frame, without a camera to set."
_FRAMING = "The framing follows the weights; --preprocess=extcrop shows more around the face."
_RATIOS = "Lips and lids follow the driving frames; --expression_scale makes them move more or less."

ABSENT: dict[str, str] = {
    "old_version": _WEIGHTS,
    "net_recon": _RECONSTRUCTION,
    "init_path": _RECONSTRUCTION,
    "use_last_fc": _RECONSTRUCTION,
    "bfm_folder": _VIEW,
    "bfm_model": _VIEW,
    "focal": _VIEW,
    "center": _VIEW,
    "camera_d": _VIEW,
    "z_near": _VIEW,
    "z_far": _VIEW,
    "xpu": "--device takes cpu, cuda, cuda:N and mps.",
    "from_dataset": "--run_mode=evaluate --dataset=NAME draws and scores the clips of a data set.",
    "which_iter": "--train.resume=RUN/states/step-00001000 goes on from a state.",
    "debug": "--train.max_steps=10 tries a training out.",
    "flag_eye_retargeting": _RATIOS,
    "flag_lip_retargeting": _RATIOS,
    "scale": _FRAMING,
    "vx_ratio": _FRAMING,
    "vy_ratio": _FRAMING,
    "scale_crop_driving_video": _FRAMING,
    "vx_ratio_crop_driving_video": _FRAMING,
    "vy_ratio_crop_driving_video": _FRAMING,
}
"""Flags of the published programs whose function is missing here -> the alternative."""

JOINED = frozenset({"name", "checkpoints_dir", "filename", "device_ids", "device_id", "img_shape", "mobile_net"})
"""Flags of the published programs that :func:`join` turns into settings, as they depend on others or on their value."""

IMPLIED_MODELS: dict[str, str] = {"driven_audio": "SadTalker"}
"""Flag that one published program alone has -> its model, where nothing else names one."""

_MARK = "published "
_SEVERAL_GPUS = "--device=cuda:N chooses one GPU; several GPUs train through torchrun."
_MOBILE = (
    "--mobile_net: PaddleGAN's pruned networks are not here; fom_compact, this project's small weights, stand for them"
)
_INPUTS = {"image_source", "video_source", "audio_path"}


def joined(name: str, value: str, flag: str) -> Given:
    """The value of a flag of `JOINED`, for :func:`join`."""
    return Given(f"{_MARK}{name}", value, flag)


def choice(flag: str, word: str) -> Given | None:
    """Our setting for the word of a flag of `CHOICES`; None where nothing has to be set.

    Raises:
        ConfigError: there is no such word here.
    """
    words = CHOICES[flag]
    if word not in words:
        raise ConfigError(f"'{word}' is not here", where=f"--{flag}", cure=did_you_mean(word, words))
    meant = words[word]
    return None if meant is None else Given(*meant, f"--{flag} {word}")


def implied_model(given: Iterable[Given]) -> Given | None:
    """The model whose program alone has one of the flags; None if there is none."""
    for item in given:
        word = item.origin.removeprefix("--").replace("-", "_")
        if word in IMPLIED_MODELS:
            return Given("model", IMPLIED_MODELS[word], item.origin)
    return None


def join(given: Sequence[Given], problems: list[TalkingFaceError], notes: list[str]) -> list[Given]:
    """Replace flags of `JOINED` by our settings, which are weaker than those given by their own names.

    Args:
        problems: errors of values are added.
        notes: sentences about what is different are added.
    """
    old = {item.key.removeprefix(_MARK): item for item in given if item.key.startswith(_MARK)}
    kept = [item for item in given if not item.key.startswith(_MARK)]
    if not old:
        return kept
    known = {item.key: item for item in kept}
    made: list[Given] = []
    for translate in (_folder, _result, _device, _size):
        with collected(problems):
            made += translate(old, known, notes)
    if "mobile_net" in old:
        made.append(Given("checkpoint", "fom_compact", old["mobile_net"].origin))
        notes.append(_MOBILE)
    replaced = {"output"} if "filename" in old else set()
    return [*made, *(item for item in kept if item.key not in replaced)]


Old = Mapping[str, Given]


def _folder(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """``--checkpoints_dir`` and ``--name`` -> the folder of a run."""
    name, parent = old.get("name"), old.get("checkpoints_dir")
    if parent is None and name is not None and known.keys() & _INPUTS:
        notes.append("--name: results are named after their picture and driver; --output names one")
        return []
    if name is None:
        return [] if parent is None else [Given("output_dir", parent.value, parent.origin)]
    folder = PurePath("runs" if parent is None else parent.value) / name.value
    return [Given("output_dir", str(folder), f"{parent.origin} {name.origin}" if parent else name.origin)]


def _result(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """``--output`` as a folder and ``--filename`` in it -> the file."""
    if "filename" not in old:
        return []
    folder = known["output"].value if "output" in known else "output"
    return [Given("output", str(PurePath(folder) / old["filename"].value), old["filename"].origin)]


def _device(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """Numbers of GPUs -> the device; the first one is taken where there is one, as the published programs do."""
    item = old.get("device_ids") or old.get("device_id")
    if item is None:
        return []
    numbers = [part.strip() for part in item.value.split(",") if part.strip()]
    if not numbers or not all(number.isascii() and number.isdecimal() for number in numbers):
        raise ConfigError(f"'{item.value}' is no list of GPUs such as 0,1", where=item.origin)
    if "run_mode" in known and known["run_mode"].value == "prepare":
        return [Given("prepare.device_ids", numbers, item.origin)]
    if len(numbers) > 1:
        raise ConfigError(f"'{item.value}' are several GPUs", where=item.origin, cure=_SEVERAL_GPUS)
    return [] if int(numbers[0]) == 0 else [Given("device", f"cuda:{int(numbers[0])}", item.origin)]


def _size(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """``--img_shape 256,256`` -> the side."""
    if "img_shape" not in old:
        return []
    item = old["img_shape"]
    sides = {part.strip() for part in item.value.strip("()[]").split(",") if part.strip()}
    if len(sides) != 1:
        raise ConfigError(f"'{item.value}' is not square", where=item.origin, cure="Write one side: --image_size=256.")
    return [Given("image_size", sides.pop(), item.origin)]
