"""The compact head pose network: a variational autoencoder over time, after PoseVAE of SadTalker (Zhang et al., CVPR
2023, section 3.3).

As there, latents, a style and the sound make the head move about the source's pose. Unlike there, it is made of
convolutions over time, so that a clip of any length is one piece without seams, and latents come at two rates, for
slow drifts of the head and for nods.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks.pose_cvae import POSE as POSES
from ..networks.pose_cvae import STYLES
from ..voice.mel import BANDS

FAST, SLOW = 8, 64
"""Frames to a latent."""
LOUDNESS = 4  # bands of the sound
AUDIO_FEATURES = LOUDNESS + 1  # and 1 where there is sound at all
_PIECE, _AROUND = 256, 2  # of 8 frames: that are refined together, and beside them (a frame depends on 6)
_FAST_LATENTS, _SLOW_LATENTS, _STYLE = 8, 6, 8
_LOUD = 0.25  # brings mel values, -4..4, to order one


@dataclass(frozen=True)
class PoseLatents:
    """Random numbers of a head's motion.

    Attributes:
        fast: (B, 8, n), one for each 8 frames.
        slow: (B, 6, m), one for each 64.
    """

    fast: Tensor
    slow: Tensor


def draw_pose_latents(frames: int, random: torch.Generator) -> PoseLatents:
    """Latents of one clip of at least `frames` frames."""
    count = -(-frames // FAST)
    fast = torch.randn(1, _FAST_LATENTS, count, generator=random)
    return PoseLatents(fast, torch.randn(1, _SLOW_LATENTS, -(-count * FAST // SLOW), generator=random))


def loudness(windows: Tensor) -> Tensor:
    """Audio features of the pose network: the loudness of mel windows.

    Args:
        windows: (N, 1, 80, 16), see mel.py.

    Returns:
        (N, 5): the loudness of four bands, lower ones first, and 1.
    """
    bands = windows[:, 0].unflatten(1, (LOUDNESS, BANDS // LOUDNESS)).mean(dim=(2, 3)) * _LOUD
    return torch.cat([bands, torch.ones_like(bands[:, :1])], dim=1)


class CompactPoseEncoder(nn.Module):
    """Encoder of a motion to its latents, for training: (mean, logarithm of the variance) of both rates."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fast_layers = _halvings(POSES + AUDIO_FEATURES, width)
        self.fast = nn.Conv1d(width, 2 * _FAST_LATENTS, 1)
        self.slow_layers = _halvings(width, width)
        self.slow = nn.Conv1d(width, 2 * _SLOW_LATENTS, 1)

    def forward(self, poses: Tensor, audio: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Mean and logarithm of the variance of fast latents (B, 8, T / 8) and of slow ones (B, 6, T / 64).

        Args:
            poses: (B, 6, T) in standard deviations, T a multiple of 64.
            audio: (B, 5, T).
        """
        features = self.fast_layers(torch.cat([poses, audio], dim=1))
        return self.fast(features).chunk(2, dim=1), self.slow(self.slow_layers(features)).chunk(2, dim=1)


class CompactPose(nn.Module):
    """Head motion from latents, sound and a style.

    Args:
        width: of all hidden layers.

    Attributes:
        deviation: (6,), standard deviations of pitch, yaw, roll (rad) and translation in the training data.
        gain: (2,), factors of motions without and with sound: drawn ones are calmer than those of the
            training data. Both are measured, not trained, and kept with the weights.
    """

    deviation: Tensor
    gain: Tensor

    moments = SLOW
    """Frames of a training item."""
    learns = ("encoder", "style", "enter", "layers", "refine", "leave")
    discriminators: tuple[str, ...] = ()

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.register_buffer("deviation", torch.full((POSES,), 0.05))
        self.register_buffer("gain", torch.ones(2))
        self.encoder = CompactPoseEncoder(width)
        self.style = nn.Embedding(STYLES, _STYLE)
        nn.init.normal_(self.style.weight, std=0.3)
        self.enter = nn.Conv1d(_FAST_LATENTS + _SLOW_LATENTS + AUDIO_FEATURES + _STYLE, width, 5, padding=2)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(3))
        self.refine = nn.Conv1d(width + AUDIO_FEATURES, width, 5, padding=2)
        self.leave = nn.Conv1d(width, POSES, 9, padding=4)

    def forward(self, latents: PoseLatents, audio: Tensor, style: Tensor) -> Tensor:
        """Motion about the clip's middle pose, in standard deviations.

        Args:
            latents: of B clips, n fast ones.
            audio: (B, 5, 8 n).
            style: (B,), 0..45.

        Returns:
            (B, 6, 8 n).
        """
        return self._refined(self._drafted(latents, audio, style), audio)

    def _drafted(self, latents: PoseLatents, audio: Tensor, style: Tensor) -> Tensor:
        """Features (B, width, n), one for each 8 frames."""
        count = latents.fast.shape[2]
        slow = F.interpolate(latents.slow, size=count, mode="linear")
        styles = self.style(style)[:, :, None].expand(-1, -1, count)
        out: Tensor = self.enter(torch.cat([latents.fast, slow, F.avg_pool1d(audio, FAST), styles], dim=1))
        for layer in self.layers:
            out = out + layer(F.gelu(out))
        return out

    def _refined(self, draft: Tensor, audio: Tensor) -> Tensor:
        """Motion (B, 6, 8 n) of features (B, width, n) and sound (B, 5, 8 n)."""
        out = F.interpolate(draft, scale_factor=FAST, mode="linear")
        moved: Tensor = self.leave(F.gelu(self.refine(torch.cat([out, audio], dim=1))))
        return moved

    def motion(self, latents: PoseLatents, audio: Tensor, style: int) -> Tensor:
        """Change (T, 6) of the pose of one clip, pitch, yaw, roll in radians and translation.

        Args:
            latents: for at least T frames.
            audio: (T, 5), of `loudness`, or zeros where nobody speaks.
            style: 0..45.
        """
        frames, count = len(audio), latents.fast.shape[2]
        padded = F.pad(audio.T[None], (0, count * FAST - frames))
        draft = self._drafted(latents, padded, torch.tensor([style], device=audio.device))
        moved = torch.cat([self._piece(draft, padded, start) for start in range(0, count, _PIECE)], dim=2)
        size = self.deviation * torch.lerp(self.gain[0], self.gain[1], audio[:, -1:])
        return moved[0, :, :frames].T * size

    def _piece(self, draft: Tensor, audio: Tensor, start: int) -> Tensor:
        """Part of the motion, refined with the frames around it, so that memory does not grow with the clip."""
        stop = min(start + _PIECE, draft.shape[2])
        first, last = max(start - _AROUND, 0), min(stop + _AROUND, draft.shape[2])
        refined = self._refined(draft[..., first:last], audio[..., first * FAST : last * FAST])
        return refined[..., (start - first) * FAST : (stop - first) * FAST]

    def reconstruct(self, motion: Tensor, windows: Tensor, first: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Motion reconstructed from latents that are drawn for it, for training.

        Args:
            motion: (N, T, 6), T a multiple of 64, relative to the frame before it.
            windows: (N, T, 80, 16).
            first: (N, 6), not used: motion is about a middle pose.
            style: (N,).

        Returns:
            The motion, (N, T, 6), and the divergence of the latents from the normal distribution, a scalar.
        """
        middle = motion.mean(dim=1, keepdim=True)
        audio = _audio_features(windows)
        rates = self.encoder(((motion - middle) / self.deviation).transpose(1, 2), audio)
        latents = [mean + torch.randn_like(mean) * (log_variance / 2).exp() for mean, log_variance in rates]
        divergence = sum((_divergence(*rate) for rate in rates), start=motion.new_zeros(()))
        made = self(PoseLatents(*latents), audio, style)
        return made.transpose(1, 2) * self.deviation + middle, divergence / motion.shape[1]

    def imagine(self, windows: Tensor, first: Tensor, style: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Motion (N, T, 6) of random latents, relative to its first frame; arguments as `reconstruct`."""
        count, frames = windows.shape[:2]
        shapes = (count, _FAST_LATENTS, frames // FAST), (count, _SLOW_LATENTS, frames // SLOW)
        latents = [torch.randn(shape, generator=random).to(windows) for shape in shapes]
        made = self(PoseLatents(*latents), _audio_features(windows), style).transpose(1, 2) * self.deviation
        return made - made[:, :1]


def _audio_features(windows: Tensor) -> Tensor:
    """(N, 5, T) of (N, T, 80, 16)."""
    return loudness(windows.flatten(0, 1)[:, None]).unflatten(0, windows.shape[:2]).transpose(1, 2)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence from the normal distribution, summed over a clip and averaged over clips."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(dim=1).mean()


def _halvings(inputs: int, width: int) -> nn.Sequential:
    """(B, inputs, T) -> (B, width, T / 8)."""
    layers: list[nn.Module] = []
    for channels in (inputs, width, width):
        layers += [nn.Conv1d(channels, width, 5, stride=2, padding=2), nn.GELU()]
    return nn.Sequential(*layers)
