"""Flags of the published programs: what they are called here, what they need not say, and what is not here.

docs/from-other-programs.md lists the commands; a test types each of them.
"""

from __future__ import annotations

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
    "loss_parity": "train.loss_parity",
    "sweep": "train.sweep",
    "finetune": "train.finetune",
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
"""Flags of the published programs that depend on others or on their value; :func:`~.translate.join` reads them."""

IMPLIED_MODELS: dict[str, str] = {"driven_audio": "SadTalker"}
"""Flag that one published program alone has -> its model, where nothing else names one."""
