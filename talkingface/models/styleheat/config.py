"""Settings of StyleHEAT: the sizes of its networks, and the training of each stage. No torch here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from ...errors import ConfigError
from ...nn.stylegan2.structure import StyleGAN2Structure
from ..settings import TrainedConfig, refused_values, unknown_phases, unknown_stage
from .structure import Structure, StyleHeatStructure


class WarperWeights(Structure):
    """Stage 1, the video warper."""

    perceptual: NonNegativeFloat = Field(1.0, description="Between the warped source and the target.")
    reconstruction: NonNegativeFloat = Field(0.0, description="Mean absolute error of the two, over three sizes.")
    focus: NonNegativeFloat = Field(0.0, description="How much more the middle of the picture counts in it.")


class CalibrationWeights(Structure):
    """Stage 2, the calibrator."""

    local_loss: NonNegativeFloat = Field(2.0, description="Mean absolute difference of mouth and eyes.")
    perceptual_warp: NonNegativeFloat = Field(0.02, description="Between what the warper alone gives and the target.")
    perceptual_final: NonNegativeFloat = Field(0.2, description="Between the result and the target, masked.")
    perceptual_regular: NonNegativeFloat = Field(
        0.01, description="Between the result and what the warper alone gives, where the mask does not look."
    )
    gan_loss: NonNegativeFloat = Field(1.0, description="Of a tenth of the adversarial loss.")
    reconstruction: NonNegativeFloat = Field(0.0, description="Mean absolute error of the result, over three sizes.")
    reconstruction_warp: NonNegativeFloat = Field(0.0, description="The same of what the warper alone gives.")
    focus: NonNegativeFloat = Field(0.0, description="How much more the middle of the picture counts in these two.")
    style: NonNegativeFloat = Field(250.0, description="Gram matrices within the two perceptual losses of the result.")
    outside: tuple[tuple[PositiveInt, NonNegativeFloat], ...] = Field(
        ((500, 0.2), (2000, 0.05)),
        description="Until which iteration the mask has which weight outside the face's parts.",
    )
    outside_at_last: NonNegativeFloat = Field(0.005, description="That weight afterwards.")

    @property
    def uses_parts(self) -> bool:
        """True where landmarks are needed."""
        return bool(self.local_loss or self.perceptual_final or self.perceptual_regular)

    @property
    def uses_warp(self) -> bool:
        """True where the generator has to draw the result of the warper alone."""
        return bool(self.perceptual_warp or self.perceptual_regular or self.reconstruction_warp)

    @property
    def perceptual(self) -> float:
        """Sum of the perceptual weights; VGG19 is needed where it is not zero."""
        return self.perceptual_warp + self.perceptual_final + self.perceptual_regular

    def outside_at(self, iteration: int) -> float:
        """Weight outside the parts of the face."""
        return next((weight for end, weight in self.outside if iteration < end), self.outside_at_last)


class InversionWeights(Structure):
    """The inversion stage. A loss with weight zero is not computed."""

    reconstruction: NonNegativeFloat = Field(1.0, description="Mean absolute error, over three sizes.")
    rough: NonNegativeFloat = Field(0.5, description="The same for what the codes alone make.")
    focus: NonNegativeFloat = Field(0.0, description="How much more the middle of the picture counts.")
    perceptual: NonNegativeFloat = Field(0.0, description="Of VGG19.")
    identity: NonNegativeFloat = Field(0.0, description="Of IR-SE50.")
    offsets: NonNegativeFloat = Field(2e-4, description="Length of the codes' offsets from the first one (e4e).")
    adversarial: NonNegativeFloat = Field(0.0, description="Of a discriminator that learns along.")


class JointWeights(Structure):
    """The joint stage. A loss with weight zero is not computed."""

    reconstruction: NonNegativeFloat = Field(1.0, description="Mean absolute error of the result, over three sizes.")
    own: NonNegativeFloat = Field(0.5, description="The same for the source, given back without motion.")
    rough: NonNegativeFloat = Field(0.2, description="The same for what the codes alone make of the source.")
    focus: NonNegativeFloat = Field(3.0, description="How much more the middle of the picture counts in these.")
    lips: NonNegativeFloat = Field(4.0, description="How much more lips and what is around them count in the result.")
    eyes: NonNegativeFloat = Field(3.0, description="The same for the eyes.")
    flow: NonNegativeFloat = Field(20.0, description="Distance of the warp from the movement of the mesh's points.")
    offsets: NonNegativeFloat = Field(2e-4, description="Length of the codes' offsets from the first one (e4e).")
    adversarial: NonNegativeFloat = Field(0.0, description="Of a discriminator that learns along.")


class GeneratorWeights(Structure):
    """StyleGAN2; the values of the paper."""

    adversarial: NonNegativeFloat = Field(1.0, description="Non-saturating.")
    r1: NonNegativeFloat = Field(10.0, description="Gamma of the penalty on the discriminator's gradient.")
    r1_every: PositiveInt = Field(16, description="Steps from one such penalty to the next.")
    path: NonNegativeFloat = Field(2.0, description="Of the penalty on path lengths.")
    path_every: PositiveInt = Field(4, description="Steps from one such penalty to the next.")


STAGES = ("video_warper", "calibrator", "inversion", "generator", "joint")
"""Stages of training; the first two are the published stages, which follow each other."""

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
    """Training of the networks, stage by stage; the word after ``--stage=`` chooses one."""

    generator: GeneratorStage = GeneratorStage()
    inversion: InversionStage = InversionStage()
    video_warper: WarperStage = WarperStage()
    calibrator: CalibratorStage = CalibratorStage()
    joint: JointStage = JointStage()


class StyleHeatConfig(TrainedConfig, StyleHeatStructure):
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

    def trained(self, stage: str, train: Any) -> StyleHeatConfig:
        """The configuration with the loss weights that `train` sets for a stage.

        Raises:
            ConfigError: for names and values in them that do not fit.
        """
        changes = dict(getattr(train, "loss_weights", None) or {})
        if not changes:
            return self
        document = self.model_dump()
        document["train_params"][stage]["loss_weights"].update(changes)
        try:
            return StyleHeatConfig.model_validate(document)
        except ValidationError as error:
            raise refused_values(error, document, "train.loss_weights", skipped=3) from None

    def training_problems(self, stage: str, train: Any) -> Iterator[ConfigError]:
        """A stage, terms, values and phases that a training of StyleHEAT does not have."""
        if stage and stage not in STAGES:
            yield unknown_stage("StyleHeat", stage, STAGES)
            return
        chosen = stage or STAGES[0]
        if chosen == "joint" and self.space != "mesh":
            yield self.without_mesh()
        try:
            self.trained(chosen, train)
        except ConfigError as error:
            yield error
        adversary = ("generator", "path", "discriminator", "r1")
        yield from unknown_phases(train, adversary if chosen == "generator" else (chosen, "discriminator"))

    def loss_files(self, stage: str, train: Any) -> tuple[str, ...]:
        """VGG19 and IR-SE50, where a loss of the stage needs them."""
        chosen = stage or STAGES[0]
        weights = getattr(self.trained(chosen, train).train_params, chosen).loss_weights
        losses = {"vgg19": "perceptual", "ir_se50": "identity"}
        return tuple(name for name, loss in losses.items() if getattr(weights, loss, 0))

    def without_mesh(self) -> ConfigError:
        """The error of the joint stage in another space than that of the mesh."""
        cure = "Use --variant=compact, or train the other stages one after another."
        return ConfigError(f"the stage joint needs the space mesh, not {self.space}", where="--stage", cure=cure)
