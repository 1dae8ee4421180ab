"""Settings of the trainer (group ``train``). Holds no torch, so that the command line can list them quickly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..data.settings import AugmentSettings


class GroupSettings(BaseModel):
    """Settings of the parameters whose names match a pattern."""

    model_config = ConfigDict(extra="forbid")

    learning_rate: float | None = Field(None, ge=0, description="In place of that of their phase; 0 keeps them.")
    weight_decay: float | None = Field(None, ge=0, description="In place of that of the model's optimizer.")


class TrainSettings(BaseModel):
    """Training of a model. The networks have settings of their own, in the model's settings."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=100, description="Name of the experiment, for logs and tables.")
    note: str = Field("", max_length=2000, description="What is tried, and why; kept with the run.")
    stage: str = Field("", description="part of the model to train, where it has several (default: its first).")

    # How long.
    epochs: int = Field(100, ge=1, description="Passes over the data, each `repeats` items of every clip.")
    repeats: int = Field(1, ge=1, description="How many items each clip gives in an epoch.")
    max_steps: int | None = Field(None, ge=1, description="Stop after this many steps in all, whatever `epochs` says.")
    patience: int | None = Field(None, ge=1, description="Stop after so many validations without a better score.")
    max_seconds: float | None = Field(None, gt=0, description="Save and stop after this many seconds of this run.")

    # Data.
    image_size: int = Field(256, ge=16, description="Side of the training pictures in pixels; may change between runs.")
    batch_size: int = Field(20, ge=1, description="Items per step and process.")
    workers: int = Field(1, ge=0, description="Processes that prepare batches; 0 does it between the steps.")
    preload: bool = Field(False, description="Decode all clips once into a memory-mapped file at the training size.")
    preload_dir: Path | None = Field(
        None, description="Folder of these files (default: talkingface in the user's cache)."
    )
    augment: AugmentSettings = Field(AugmentSettings(), description="Random changes of the items.")
    seed: int = Field(0, ge=0, description="Items and random draws of a step follow from this and the step alone.")

    # Optimisation.
    learning_rate: float | None = Field(None, gt=0, description="Of all phases (default: those of the model).")
    learning_rates: dict[str, float] = Field(default_factory=dict, description="Learning rate by name of the phase.")
    groups: dict[str, GroupSettings] = Field(
        default_factory=dict,
        description="learning_rate and weight_decay of parameters by a pattern of their names, as generator.final.*.",
    )
    schedule: Literal["milestones", "cosine", "linear", "constant"] = Field(
        "milestones",
        description="Ten times lower after each milestone; half a cosine or a line down to zero; or unchanged.",
    )
    milestones: list[int] | None = Field(None, description="Epochs of the milestones (default: those of the model).")
    warmup_steps: int = Field(0, ge=0, description="The learning rate rises from zero in a line over these steps.")
    clip_gradient: float | None = Field(None, gt=0, description="Largest norm of the gradient of a phase.")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="Weight kept by the running average of weights; 0: none.")
    channels_last: bool = Field(True, description="Lay pictures and kernels out with channels last (faster).")
    fixed_norms: bool = Field(False, description="Batch norms keep the statistics that they begin with, and use them.")
    sync_batchnorm: bool = Field(False, description="Share the statistics of batch norms among all processes.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients are added up before each step.")
    recompute: bool = Field(
        False, description="Keep fewer activations and compute them again going back: less memory, a third slower."
    )

    # Processes.
    launch: int = Field(1, ge=1, le=64, description="Processes to start on this machine, one for each GPU.")

    launcher: Literal["processes", "ray"] = Field(
        "processes",
        description="What starts them, and the trainings of a sweep: this program, or Ray Train and Ray Tune (extra "
        "'ray').",
    )
    ray_address: str | None = Field(None, description="Address of the Ray cluster (default: one on this machine).")

    # What the model makes of its losses.
    loss_weights: dict[str, float | list[float]] = Field(
        default_factory=dict, description="Weight of a loss term by name; a list gives one per layer of its features."
    )
    transform: dict[str, float] = Field(
        default_factory=dict, description="Random warp of equivariance terms, by the model's names (sigma_affine, ...)."
    )
    scales: list[float] = Field([1, 0.5, 0.25, 0.125], description="Sizes at which pictures are compared, 1 is full.")

    loss_parity: Path | None = Field(
        None, description="Train nothing; print the losses of the recorded steps in this folder beside ours."
    )

    sweep: Path | None = Field(
        None, description="YAML list of settings; a training for each, one after another, and a table of their scores."
    )

    # Start.
    finetune: bool = Field(
        False,
        description="Go on from trained weights with clips of one person, in a few small steps; part of them is held "
        "out.",
    )
    others: Path | None = Field(
        None,
        description="With --finetune: clips of other people, who give half of the items; weights that draw them worse "
        "than others_limit allows are not kept.",
    )
    others_limit: float = Field(
        1.05, ge=1, description="With others: their largest score (such as L1) over that of the weights at the start."
    )
    resume: str = Field("", description="Go on from this state or run folder; 'auto': the newest state of this run.")
    init_from: Path | None = Field(None, description="Start with the weights of this file, state or run folder.")

    # Reports and saved states.
    log_every: int = Field(50, ge=1, description="Steps between lines of the log.")
    image_every: int = Field(0, ge=0, description="Steps between pictures; 0: once in an epoch.")
    validate_every: int = Field(0, ge=0, description="Steps between validations; 0: once in an epoch.")
    validate_batches: int = Field(8, ge=1, description="Batches of the test split in a validation; always the same.")
    best_score: str = Field(
        "",
        description="Score whose best state is kept: one of the model's, or a metric of evaluation that a single frame "
        "has, such as ssim (default: the model's first).",
    )
    checkpoint_every_s: float = Field(600, gt=0, description="Seconds between saved states.")
    keep_last: int = Field(2, ge=1, description="How many of the newest states are kept, beside the best.")
    export_dtype: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Numbers of exported weights."
    )
    tensorboard: bool = Field(True, description="Write scalars and pictures for TensorBoard too (extra 'log').")

    @field_validator("groups", mode="before")
    @classmethod
    def _patterns(cls, value: Any) -> Any:
        """Patterns whole again: flags and files take their dots for those between settings."""
        return dict(_joined(value)) if isinstance(value, Mapping) else value


def _joined(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Pattern -> its settings, of patterns that were taken apart at their dots."""
    own = {key: value for key, value in tree.items() if not isinstance(value, Mapping | BaseModel)}
    if own:
        yield above, own
    for key, value in tree.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, BaseModel):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _joined(value, name)
