"""Flags of the published programs, so that their users' command lines work here or say what exists instead."""

from __future__ import annotations

RENAMED: dict[str, str] = {
    "source_image": "image_source",
    "driving_video": "video_source",
    "driving_image": "video_source",
    "result_video": "output",
    "result_dir": "output_dir",
    "log_dir": "output_dir",
    "checkpoint_dir": "checkpoint_root",
    "checkpoint_path": "checkpoint",
    "config_path": "config",
    "mode": "run_mode",
    "size": "image_size",
    "data_root": "data.root",
    "max_steps": "train.max_steps",
    "epochs": "train.epochs",
    "resume": "train.resume",
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
}
"""Their flag -> our setting."""

SHORTHANDS: dict[str, tuple[str, str]] = {
    "cpu": ("device", "cpu"),
    "side_by_side": ("compare", "true"),
    "multi_person": ("face", "all"),
}
"""Their switch -> our setting and its value."""

BARE: dict[str, str] = {"audio": "driving"}
"""Settings that may stand without a value, and what that means."""

WORDS: dict[str, dict[str, str]] = {
    "run_mode": {"animate": "infer", "inference": "infer", "reconstruction": "evaluate", "test": "evaluate"},
    "precision": {"fp32": "float32", "bfloat16": "bf16"},
}
"""Their word -> our word, by setting."""

_SOUND = "This version is driven by --video_source: a video, gif, folder of frames or picture."
_STILL = "--preprocess=full puts the face back into the picture; the head moves as it does in --video_source."
_ENHANCE = "This version writes the frames as the model draws them; --quality sets the encoding."
_POSE = "The pose comes from --video_source; --relative and --adapt_scale say how it is carried over."

ABSENT: dict[str, str] = {
    "driven_audio": _SOUND,
    "audio_path": _SOUND,
    "audio_source": _SOUND,
    "still": _STILL,
    "enhancer": _ENHANCE,
    "background_enhancer": _ENHANCE,
    "if_extract": "Faces are always found in the driving video itself; scripts/extract_3dmm.py writes coefficients.",
    "face_detector": "--landmarks chooses what finds faces.",
    "edit_expression_only": _POSE,
    "pose_style": _POSE,
    "expression_scale": _POSE,
    "input_yaw": _POSE,
    "input_pitch": _POSE,
    "input_roll": _POSE,
    "ref_eyeblink": _POSE,
    "ref_pose": _POSE,
    "device_ids": "--device=cuda:N chooses one GPU; several GPUs train through torchrun.",
}
"""Their flags whose function is not here -> what is."""
