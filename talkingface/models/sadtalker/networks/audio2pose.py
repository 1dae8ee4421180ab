"""Head pose from sound: PoseVAE of SadTalker (Zhang et al., CVPR 2023, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....errors import ConfigError
from .audio2exp import AudioEncoder
from .pose_cvae import LATENT, POSE, SEQUENCE, STYLES, PoseCVAE


class _Block(nn.Module):
    """Convolution over time, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


class PoseDiscriminator(nn.Module):
    """The patch discriminator of SadTalker's PoseVAE (Zhang et al., CVPR 2023, section 3.3), released names."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            _Block(POSE, 256, kernel=4, stride=2),
            _Block(256, 512, kernel=4, stride=2),
            _Block(512, 1024, kernel=3, stride=1),
            nn.Conv1d(1024, 1, 3, padding=1),
        )

    def forward(self, motion: Tensor) -> Tensor:
        """(N, frames, 6) -> (N, frames // 4), a score for each place."""
        scores: Tensor = self.seq(motion.transpose(1, 2))
        return scores[:, 0]


_PIECES = 64  # that go through the decoder together: 35 MB


class Audio2Pose(nn.Module):
    """Pieces of 32 poses relative to the first one, each from its sound, a style and a latent of its own.

    ``netG.encoder`` and ``netD_motion`` serve training; they are in the released files and inference does not use them.

    Attributes:
        moments: made at once.
        learns, discriminators: names of the parts that make motion, and of those that score it, for training.
    """

    moments = SEQUENCE
    learns, discriminators = ("audio_encoder", "netG"), ("netD_motion",)

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = nn.ModuleDict({"audio_encoder": AudioEncoder()})
        self.netG = PoseCVAE()
        self.netD_motion = PoseDiscriminator()

    def embed(self, windows: Tensor) -> Tensor:
        """(N, 1, 80, 16) -> (N, 512), features of mel windows."""
        features: Tensor = self.audio_encoder["audio_encoder"](windows)
        return features

    def audio_features(self, windows: Tensor) -> Tensor:
        """(N, 1, 80, 16) -> (N, 6): input of the decoder from mel windows, so that long sounds need little memory."""
        audio: Tensor = self.netG.decoder.linear_audio(self.embed(windows))
        return audio

    def reconstruct(self, motion: Tensor, windows: Tensor, first: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Motion reconstructed from a latent that is drawn for it; for training.

        Args:
            motion: (N, 32, 6), poses less `first`.
            windows: (N, 32, 80, 16), of their sound.
            first: (N, 6), the pose before them.
            style: (N,), whole numbers.

        Returns:
            (N, 32, 6), and the divergence of the latents from the normal distribution, a scalar.
        """
        sound = self.embed(windows.flatten(0, 1)[:, None]).unflatten(0, windows.shape[:2])
        mean, logvar = (values.float() for values in self.netG.encoder(motion, sound, first, style))
        latent = mean + (logvar / 2).exp() * torch.randn_like(mean)
        made = self.netG.decoder(latent, self.netG.decoder.linear_audio(sound), first, style)
        return made, (mean.square() + logvar.exp() - 1 - logvar).sum(dim=1).mean() / 2

    def imagine(self, windows: Tensor, first: Tensor, style: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Motion (N, 32, 6) of random latents; arguments as `reconstruct`, `random` on the CPU."""
        audio = self.audio_features(windows.flatten(0, 1)[:, None]).unflatten(0, windows.shape[:2])
        latent = torch.randn(len(first), LATENT, generator=random).to(first)
        motion: Tensor = self.netG.decoder(latent, audio, first, style)
        return motion

    def score(self, motion: Tensor) -> Tensor:
        """Scores of motions (N, 32, 6), one for each four frames: 1 for real ones."""
        scores: Tensor = self.netD_motion(motion)
        return scores

    def forward(self, audio: Tensor, first: Tensor, style: int, latents: Tensor) -> Tensor:
        """The motion of a whole clip.

        Args:
            audio: (T - 1, 6), of `audio_features`, of all frames but the first, which is the source picture's.
            first: (6,), the pose in the source picture: angles in radians, translation.
            style: 0..45.
            latents: (`latent_count`, 64).

        Returns:
            (T, 6), poses less `first`; the first row is zero.

        Raises:
            ConfigError: if there is no such style.
        """
        check_style(style)
        pieces = _pieces(len(audio)).to(audio.device)
        made = [first.new_zeros(1, len(first))]
        for latent, piece in zip(latents.split(_PIECES), pieces.split(_PIECES), strict=True):
            styles = torch.full((len(piece),), style, device=audio.device)
            motion = self.netG.decoder(latent, audio[piece], first.expand(len(piece), -1), styles)
            made.append(motion.flatten(0, 1))
        motion = torch.cat(made)
        return _without_overlap(motion, len(audio))


def latent_count(frames: int) -> int:
    """Number of latents of a clip: one for each begun piece of 32 frames after its first frame."""
    return -(-(frames - 1) // SEQUENCE) if frames > 1 else 0


def draw_latents(frames: int, random: torch.Generator) -> Tensor:
    """Normal latents (n, 64) of a clip, n = `latent_count`."""
    return torch.randn(latent_count(frames), LATENT, generator=random)


def check_style(style: int) -> None:
    """Refuse a style that is not known.

    Raises:
        ConfigError: if there is no such style.
    """
    if not 0 <= style < STYLES:
        raise ConfigError(f"there is no pose style {style}", cure=f"Take one of 0 to {STYLES - 1}.")


def _pieces(windows: int) -> Tensor:
    """Indices (n, 32) of the windows of each piece; the last piece ends with the sound.

    A sound shorter than a piece repeats its first window in front.
    """
    starts = torch.arange(0, windows, SEQUENCE).clamp(max=windows - SEQUENCE)
    return (starts[:, None] + torch.arange(SEQUENCE)).clamp(min=0)


def _without_overlap(motion: Tensor, windows: int) -> Tensor:
    """Motion without the frames of the last piece that the one before it holds too, or that lie before the sound."""
    twice = -windows % SEQUENCE
    if not twice:
        return motion
    return torch.cat([motion[:-SEQUENCE], motion[twice - SEQUENCE :]])
