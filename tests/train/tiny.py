"""A small but real model: the smallest plug-in that keeps the whole contract, and learns something in seconds.

Its motion is a code of four numbers that an encoder reads off a frame; its renderer paints the source anew under the
code of the driving frame. A discriminator gives it a second phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel
from torch import Tensor, nn

from talkingface.models.base import Batch, Losses, ModelPlugin, MotionExtractor, Phase, Renderer
from talkingface.train.settings import TrainSettings
from talkingface.types import Motion, Source

KIND = "tiny.code"


class TinyConfig(BaseModel):
    width: int = 8
    size: int = 16


class Encoder(nn.Sequential):
    """Frames (N, 3, H, W) in [0, 1] -> codes (N, 4)."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 4),
        )  # fmt: skip


class Painter(nn.Module):
    """Source (N, 3, H, W) in [0, 1] and codes (N, 4) -> picture of the same shape and range."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3 + 4 + 2, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.last = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, source: Tensor, code: Tensor) -> Tensor:
        count, _, height, width = source.shape
        rows = torch.linspace(-1, 1, height).to(source).view(1, 1, -1, 1).expand(count, 1, height, width)
        columns = torch.linspace(-1, 1, width).to(source).view(1, 1, 1, -1).expand(count, 1, height, width)
        planes = code[:, :, None, None].expand(-1, -1, height, width)
        return torch.sigmoid(self.last(self.first(torch.cat([source, planes, rows, columns], dim=1))))


class TinyExtractor(MotionExtractor):
    takes = frozenset({"video", "image"})
    gives = KIND

    def __init__(self, encoder: nn.Module, size: int) -> None:
        self.encoder, self.size = encoder.eval(), (size, size)

    @torch.no_grad()
    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        return Motion(KIND, fps, {"code": torch.cat([self.encoder(chunk) for chunk in frames])})


class TinyRenderer(Renderer):
    takes = KIND

    def __init__(self, painter: nn.Module, size: int) -> None:
        self.painter, self.size = painter.eval(), (size, size)

    def encode_source(self, source: Source) -> Tensor:
        return source.image

    @torch.no_grad()
    def render(self, state: Tensor, motion: Motion) -> Tensor:
        code = motion.values["code"]
        return self.painter(state.expand(len(code), -1, -1, -1), code)


class Tiny(ModelPlugin):
    name: ClassVar[str] = "Tiny"
    Config: ClassVar[type] = TinyConfig
    inference_networks: ClassVar[tuple[str, ...]] = ("encoder", "painter")

    def __init__(self, config: TinyConfig | None = None, seed: int = 1) -> None:
        self.config = config or TinyConfig()
        torch.manual_seed(seed)
        width = self.config.width
        discriminator = nn.Sequential(nn.Conv2d(3, width, 4, 2, 1), nn.ReLU(), nn.Conv2d(width, 1, 4, 2, 1))
        self.networks = nn.ModuleDict(
            {"encoder": Encoder(width), "painter": Painter(width), "discriminator": discriminator}
        )
        self._painted: Tensor | None = None

    def extractor(self, precision: torch.dtype = torch.float32) -> MotionExtractor:
        return TinyExtractor(self.networks["encoder"], self.config.size)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        return TinyRenderer(self.networks["painter"], self.config.size)

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        if not options.get("relative"):
            return driving
        code = driving.values["code"]
        return Motion(KIND, driving.fps, {"code": source.values["code"] + code - code[:1]})

    def samples(self) -> Mapping[str, Any]:
        return {"source": "random", "driving": "random"}

    def phases(self, train: TrainSettings) -> list[Phase]:
        def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.999))

        return [
            Phase("generator", ("encoder", "painter"), self._paint, adam, milestones=(2,)),
            Phase("discriminator", ("discriminator",), self._judge, adam),
        ]

    def _paint(self, batch: Batch) -> Losses:
        # The noise makes the random numbers of a step part of what a resumed run has to repeat.
        code = self.networks["encoder"](batch["driving"])
        painted = self.networks["painter"](batch["source"], code + 0.01 * torch.randn_like(code))
        self._painted = painted.detach()
        fooled = (self.networks["discriminator"](painted) - 1).square().mean()
        return {"l1": 10 * (painted - batch["driving"]).abs().mean(), "gan": 0.01 * fooled}

    def _judge(self, batch: Batch) -> Losses:
        assert self._painted is not None
        real, fake = (self.networks["discriminator"](frames) for frames in (batch["driving"], self._painted))
        return {"gan": (real - 1).square().mean() + fake.square().mean()}

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        painted = self.networks["painter"](batch["source"], self.networks["encoder"](batch["driving"]))
        return {"l1": (painted - batch["driving"]).abs().mean().item()}, {"prediction": painted}


def write_clips(root: Path, clips: int = 4, frames: int = 8, size: int = 16) -> Path:
    """Folders of pictures in which a bright square wanders; an identity per two clips, each with its own colour."""
    random = np.random.default_rng(0)
    for clip in range(clips):
        folder = root / f"id{clip // 2}_{clip}"
        folder.mkdir(parents=True)
        colour, start = random.integers(100, 256, 3), random.integers(0, size // 2, 2)
        for frame in range(frames):
            picture = np.full((size, size, 3), 30, np.uint8)
            row, column = (start + frame) % (size - 4)
            picture[row : row + 5, column : column + 5] = colour
            Image.fromarray(picture).save(folder / f"{frame}.png")
    return root


def quick(**changes: Any) -> TrainSettings:
    """Settings of a short training of the tiny model."""
    values: dict[str, Any] = {
        "image_size": 16, "batch_size": 4, "workers": 0, "learning_rate": 5e-3, "max_steps": 6, "log_every": 2,
        "ema_decay": 0.9, "tensorboard": False, "validate_batches": 2, "repeats": 4,
    }  # fmt: skip
    return TrainSettings(**{**values, **changes})
