"""Scores and pictures of a batch, stage by stage; as the published trainer shows them: source, warp, result, target."""

from __future__ import annotations

import torch
from torch import Tensor

from ...base import Batch
from ..compact.guide import Cues
from ..networks.pictures import resized
from .objective import Objective, Pairs

FIXED_DRAW = 0


def judge(stage: str, objective: Objective, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores (lower is better) and pictures (N, 3, H, W) in [0, 1] of what a stage has learnt."""
    if stage == "generator":
        return _drawn(objective, batch)
    if stage == "inversion":
        return _given_back(objective, batch)
    return _moved(objective, batch, calibrated=stage in ("calibrator", "joint"))


def _moved(objective: Objective, batch: Batch, *, calibrated: bool) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The driving frame made of the source frame."""
    pairs, count = Pairs.of(batch), len(batch["source"])
    source, target = pairs.source[:count], pairs.target[:count]
    cues = next(Cues(pairs.windows, objective.guide(batch)).split(count))
    side = target.shape[-1]
    if not calibrated:
        small = resized(source, objective.config.encoder.size)
        warped = resized(objective.whole.video_warper(small, cues.windows, cues.guide).apply(small), side)
        return {"l1": _apart(warped, target)}, {"warp": _shown(warped)}
    inversion = objective.invert(source)
    moved = objective.whole.move(inversion, cues.windows, cues.guide)
    made = resized(objective.whole.draw(inversion, moved), side)
    warped = resized(objective.whole.draw_warped(inversion, moved), side)
    return {"l1": _apart(made, target)}, {"warp": _shown(warped), "result": _shown(made)}


def _given_back(objective: Objective, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The source frame, by codes alone and with details."""
    real = batch["source"] * 2 - 1
    inverter, side = objective.whole.generator, real.shape[-1]
    rough = inverter.encode(real)
    made = resized(inverter.detail(rough, rough.residual).full, side)
    by_codes = resized(rough.picture, side)
    return {"l1": _apart(made, real)}, {"codes": _shown(by_codes), "result": _shown(made)}


def _drawn(objective: Objective, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Pictures of fixed draws, and how sure the discriminator is of real ones against them; 0 is a tie."""
    generator, real = objective.whole.generator.stylegan, batch["source"] * 2 - 1
    random = torch.Generator().manual_seed(FIXED_DRAW)
    drawn = torch.randn(len(real), generator.structure.code_length, generator=random).to(real)
    made = generator(generator.codes_of(drawn)).picture
    advantage = objective.scores(real).mean() - objective.scores(made).mean()
    return {"advantage": float(advantage.abs())}, {"drawn": _shown(resized(made, real.shape[-1]))}


def _apart(made: Tensor, real: Tensor) -> float:
    """Mean absolute error, of pictures in [0, 1]."""
    return float((made - real).abs().mean()) / 2


def _shown(pictures: Tensor) -> Tensor:
    return (pictures.clamp(-1, 1) + 1) / 2
