"""Head pose from sound: PoseVAE of SadTalker (Zhang et al., CVPR 2023, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from .audio_encoder import AudioEncoder
from .pose_cvae import LATENT, SEQUENCE, STYLES, PoseCVAE
from .pose_discriminator import PoseDiscriminator

_PIECES = 64  # that go through the decoder together: 35 MB


class Audio2Pose(nn.Module):
    """Pieces of 32 poses relative to the first one, each from its sound, a style and a latent of its own.

    ``netG.encoder`` and ``netD_motion`` serve training; they are in the released files and do not change what is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = nn.ModuleDict({"audio_encoder": AudioEncoder()})
        self.netG = PoseCVAE()
        self.netD_motion = PoseDiscriminator()

    def embed(self, windows: Tensor) -> Tensor:
        """(N, 1, 80, 16) -> (N, 512), features of mel windows."""
        features: Tensor = self.audio_encoder["audio_encoder"](windows)
        return features

    def hear(self, windows: Tensor) -> Tensor:
        """(N, 1, 80, 16) -> (N, 6): all that the decoder takes of a window, so that long sounds need little memory."""
        heard: Tensor = self.netG.decoder.linear_audio(self.embed(windows))
        return heard

    def forward(self, heard: Tensor, first: Tensor, style: int, latents: Tensor) -> Tensor:
        """The motion of a whole clip.

        Args:
            heard: (T - 1, 6), of all frames but the first, which is the source picture's.
            first: (6,), the pose in the source picture: angles in radians, translation.
            style: 0..45.
            latents: (`latent_count`, 64).

        Returns:
            (T, 6), poses less `first`; the first row is zero.

        Raises:
            ConfigError: if there is no such style.
        """
        check_style(style)
        pieces = _pieces(len(heard)).to(heard.device)
        made = [first.new_zeros(1, len(first))]
        for latent, piece in zip(latents.split(_PIECES), pieces.split(_PIECES), strict=True):
            styles = torch.full((len(piece),), style, device=heard.device)
            motion = self.netG.decoder(latent, heard[piece], first.expand(len(piece), -1), styles)
            made.append(motion.flatten(0, 1))
        motion = torch.cat(made)
        return _without_overlap(motion, len(heard))


def latent_count(frames: int) -> int:
    """Latents that a clip needs: one for each piece of 32 frames after its first frame, begun ones included."""
    return -(-(frames - 1) // SEQUENCE) if frames > 1 else 0


def draw_latents(frames: int, random: torch.Generator) -> Tensor:
    """Latents of a clip, (`latent_count`, 64), normal."""
    return torch.randn(latent_count(frames), LATENT, generator=random)


def check_style(style: int) -> None:
    """
    Raises:
        ConfigError: if there is no such style.
    """
    if not 0 <= style < STYLES:
        raise ConfigError(f"there is no pose style {style}", cure=f"Take one of 0 to {STYLES - 1}.")


def _pieces(windows: int) -> Tensor:
    """Which windows each piece hears, (n, 32); the last piece ends with the sound.

    A sound shorter than a piece repeats its first window in front.
    """
    starts = torch.arange(0, windows, SEQUENCE).clamp(max=windows - SEQUENCE)
    return (starts[:, None] + torch.arange(SEQUENCE)).clamp(min=0)


def _without_overlap(motion: Tensor, windows: int) -> Tensor:
    """Drop from the last piece what the one before it, or nothing, has already said."""
    twice = -windows % SEQUENCE
    if not twice:
        return motion
    return torch.cat([motion[:-SEQUENCE], motion[twice - SEQUENCE :]])
