"""Runs the recorded cases of this part."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from talkingface.errors import DataError
from talkingface.motion.columns import ROW_73, ROW_260
from talkingface.motion.edits import crop_scale_ratio, expression_only, expression_track, rotation_track
from talkingface.motion.windows import window_indices, windows

from ..case import Case
from ..run import Runner

# Columns that the published data sets take from rows of a width. 349 are DECA's: expression, pose, Euler, 3x3 tform.
_TAKEN = {
    73: (slice(0, 73),),
    260: (ROW_260.expression, ROW_260.angles, ROW_260.translation, ROW_260.crop),
    349: (slice(150, 200), slice(200, 206), slice(337, 340), slice(340, 349)),
}
_NAME = re.compile(r"(?P<input>\w+?)(\.radius(?P<radius>\d+))?\.frame(?P<frame>\d+)(?P<index>\.index)?")


def run_semantic_window(case: Case) -> dict[str, Tensor]:
    """Windows at the beginning, in the middle and at the end."""
    outputs = {}
    for name in case.outputs:
        asked = _NAME.fullmatch(name)
        if asked is None:
            raise DataError(f"output '{name}' is not understood", where=case.folder)
        rows, frame = case.inputs[asked["input"]], int(asked["frame"])
        radius = int(asked["radius"] or case.build["semantic_radius"])
        taken = torch.cat([rows[:, part] for part in _TAKEN[rows.shape[1]]], dim=1)
        indices = torch.from_numpy(window_indices([frame], len(rows), radius))[0]
        outputs[name] = indices if asked["index"] else windows(taken, [frame], radius)[0]
    return outputs


def run_coefficient_edits(case: Case) -> dict[str, Tensor]:
    """Crop ratio, expression alone, and the tracks of the intuitive edit."""
    source = case.input("source_73")
    window = case.input("window")
    frames = case.build["step"]
    expressions = {name: case.input(f"exp_{name}") for name in ("center", "mouth", "eyebrow", "eyes")}
    return {
        "crop_norm_ratio_73": crop_scale_ratio(source, case.input("targets_73"), ROW_73),
        "crop_norm_ratio_260": crop_scale_ratio(case.input("source_260"), case.input("targets_260"), ROW_260),
        "expression_only_window": expression_only(source, window.transpose(1, 2)).transpose(1, 2),
        "rotation_track": rotation_track(frames, dtype=case.dtype),
        "expression_track": expression_track(source[0, ROW_73.expression], expressions, frames),
    }


RUNNERS: dict[str, Runner] = {
    "styleheat/semantic-window": run_semantic_window,
    "styleheat/coefficient-edits": run_coefficient_edits,
}
