"""Settings of StyleHEAT: the sizes of its networks, and how each stage is trained. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ...nn.stylegan2.structure import StyleGAN2Structure
from .loss_weights import CalibrationWeights, GeneratorWeights, InversionWeights, JointWeights, WarperWeights
from .structure import Structure, StyleHeatStructure

STAGES = ("video_warper", "calibrator", "inversion", "generator", "joint")
"""What a run can train; the first two are the published stages, which follow each other."""

Network = Literal["stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder", "video_warper", "calibrator"]


class AdamParams(Structure):
    """Adam (Kingma and Ba 2015)."""

    lr: PositiveFloat = Field(1e-4, description="Learning rate.")
    beta1: NonNegativeFloat = Field(0.5, lt=1, description="Decay of the gradient's mean.")
    beta2: NonNegativeFloat = Field(0.999, lt=1, description="Decay of the gradient's square.")


class GeneratorStage(Structure):
    """StyleGAN2 from nothing: generator against discriminator (Karras et al. 2020)."""

    adam: AdamParams = AdamParams(lr=0.002, beta1=0.0, beta2=0.99)
    mixing: NonNegativeFloat = Field(0.9, le=1, description="How often a picture is made of two codes.")
    path_batch: PositiveFloat = Field(0.5, le=1, description="Part of a batch that path lengths are measured on.")
    loss_weights: GeneratorWeights = GeneratorWeights()


class InversionStage(Structure):
    """Encoders (and, where asked, the generator) that give a picture back; our own stage, without published values."""

    adam: AdamParams = AdamParams(lr=1e-4, beta1=0.9)
    tune: tuple[Network, ...] = Field((), description="Networks that learn beside the encoders.")
    loss_weights: InversionWeights = InversionWeights()


class WarperStage(Structure):
    """Stage 1, the video warper, as published but for what docs/styleheat.md lists."""

    adam: AdamParams = AdamParams()
    milestones: tuple[PositiveInt, ...] = Field((), description="Epochs after which the rate falls tenfold.")
    mirror: NonNegativeFloat = Field(
        0.5,
        le=1,
        description="How often the second half of a batch is drawn from its own mirror images; never with a guide.",
    )
    loss_weights: WarperWeights = WarperWeights()


class CalibratorStage(Structure):
    """Stage 2, the calibrator, as published but for what docs/styleheat.md lists."""

    adam: AdamParams = AdamParams()
    tune: tuple[Network, ...] = Field((), description="Networks that learn beside the calibrator.")
    train_discriminator: bool = Field(
        False, description="Let the discriminator learn along; as published it stays as it is."
    )
    inverted_adversary: bool = Field(
        False, description="Reward pictures that look made, as the released trainer does by a wrong sign."
    )
    loss_weights: CalibrationWeights = CalibrationWeights()


class JointStage(Structure):
    """Everything that animates a picture at once; our own stage, in the mesh space, without published values."""

    adam: AdamParams = AdamParams(lr=1e-3, beta1=0.9, beta2=0.99)
    equalised: PositiveFloat = Field(
        5.0, description="How much faster weights learn that are drawn with deviation 1 and scaled when they are used."
    )
    loss_weights: JointWeights = JointWeights()


class TrainParams(Structure):
    """How the networks are trained, stage by stage; the word after ``--stage=`` chooses one."""

    generator: GeneratorStage = GeneratorStage()
    inversion: InversionStage = InversionStage()
    video_warper: WarperStage = WarperStage()
    calibrator: CalibratorStage = CalibratorStage()
    joint: JointStage = JointStage()


class StyleHeatConfig(StyleHeatStructure):
    """Everything that shapes StyleHEAT. Compact networks are the published ones at smaller numbers."""

    space: Literal["bfm", "mesh"] = Field("bfm", description="What the coefficients mean.")
    framing: Literal["ffhq", "face"] = Field(
        "ffhq", description="How sources are cut: by eyes and mouth and turned upright, or by the face's box."
    )
    image_size: PositiveInt | None = Field(
        None, ge=16, description="Side of the pictures that come out; null: as large as they are drawn."
    )
    discriminator: StyleGAN2Structure = StyleGAN2Structure(size=256)
    train_params: TrainParams = TrainParams()

    @property
    def side(self) -> int:
        """Side of the pictures that come out."""
        return self.image_size or self.generator.size
