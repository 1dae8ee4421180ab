"""Flags of the published programs, so that their users' command lines work here or say what exists instead."""

from __future__ import annotations

RENAMED: dict[str, str] = {
    "source_image": "image_source",
    "driving_video": "video_source",
    "driving_image": "video_source",
    "driven_audio": "audio_path",
    "audio_source": "audio_path",
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
    "attribute": "attribute_edit",
}
"""Their flag -> our setting."""

SHORTHANDS: dict[str, tuple[str, str]] = {
    "cpu": ("device", "cpu"),
    "side_by_side": ("compare", "true"),
    "multi_person": ("face", "all"),
    "face_enhancement": ("enhancer", "gfpgan"),
}
"""Their switch -> our setting and its value."""

BARE: dict[str, str] = {"audio": "driving", "attribute_edit": "none"}
"""Settings that may stand without a value, and what that means."""

WORDS: dict[str, dict[str, str]] = {
    "run_mode": {"animate": "infer", "inference": "infer", "reconstruction": "evaluate", "test": "evaluate"},
    "precision": {"fp32": "float32", "bfloat16": "bf16"},
    "enhancer": {"GFPGAN": "gfpgan", "restoreformer": "RestoreFormer"},
    "background_enhancer": {"RealESRGAN": "realesrgan"},
}
"""Their word -> our word, by setting."""

_WEIGHTS = "Weights are recognised by what is in them; --checkpoint names another file."
_RECONSTRUCTION = (
    "The published reconstruction network is taken as it is where its files are there; see docs/face3d.md."
)
_VIEW = "--face3dvis draws the reconstructed face in the picture's own frame, without a camera to set."

ABSENT: dict[str, str] = {
    "face_detector": "--landmarks chooses what finds faces.",
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
    "device_ids": "--device=cuda:N chooses one GPU; several GPUs train through torchrun.",
}
"""Their flags whose function is not here -> what is."""
