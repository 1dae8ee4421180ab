"""Training loop of all models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..data.loader import Batches, batch_loader
from ..data.store import ClipStore
from ..errors import ConfigError, did_you_mean
from ..models.base import Batch, ModelPlugin, Phase
from . import processes, shared_norm
from .checkpoints import Checkpoints, check_required_networks, find_resume, initialise
from .groups import build_optimizers
from .processes import StopRequest
from .recompute import checkpoint_blocks
from .report import TrainingLog
from .settings import TrainSettings
from .state import clear_remains
from .state_facts import DamagedStateError
from .step import PhaseStep, WeightAverage, freeze_others, learn, learning_rate_factor, restore_trainable
from .validation import Guard, Validation


@dataclass(frozen=True)
class TrainResult:
    """Result of a training run.

    Attributes:
        step: total number of steps.
        reason: reason of its end: ``"finished"``, ``"no better score"``, ``"time is up"``, ``"SIGINT"``, ``"SIGTERM"``.
        state: folder of the last saved state.
        weights: exported weights of the last state.
        best: exported weights of the best validation, None without validation.
        score: the best validation score.
    """

    step: int
    reason: str
    state: Path
    weights: Path
    best: Path | None
    score: float | None


class Trainer:
    """Trains a model on a store.

    A step is a pure function of the saved state and its number: items and random draws follow from seed and step, the
    learning rate from the step. A resumed run therefore gives the same weights, bit for bit, as an uninterrupted one on
    the same machine.

    Args:
        plugin: the model.
        store: training clips.
        settings: group ``train``.
        run_dir: folder of the results: ``states/``, ``export/``, ``pictures/``, ``train.log``, ``scalars.jsonl``.
        device: device of the training.
        precision: ``"float32"``, or ``"bf16"`` or ``"fp16"`` for networks in mixed precision (weights and sums of
            losses float32; with ``"fp16"`` the losses are scaled up).
        validation: clips of the test split; None: no validation.
        others: clips of other people, whom weights must not draw much worse than at the start (``others_limit``).
        metadata: further metadata of exported weights, for example the variant.
        held: names of the networks that already hold weights of an earlier training.
        origins: lines about the run for the log, such as its data and settings.

    Raises:
        ConfigError: if settings name phases that the model does not have.
        TrainingError: if the state to resume is missing or of another model.
    """

    def __init__(
        self,
        plugin: ModelPlugin,
        store: ClipStore,
        settings: TrainSettings,
        run_dir: Path,
        device: torch.device | str = "cpu",
        precision: str = "float32",
        *,
        validation: ClipStore | None = None,
        others: ClipStore | None = None,
        metadata: Mapping[str, str] | None = None,
        held: Sequence[str] = (),
        origins: Sequence[str] = (),
    ) -> None:
        self._plugin, self._store, self._settings, self._folder = plugin, store, settings, Path(run_dir)
        self._device = processes.local_device(torch.device(device))
        self._precision = precision
        self._held, self._origins = list(held), origins
        self._group = processes.join(self._device)
        self._log = TrainingLog(self._folder, tensorboard=settings.tensorboard, silent=not self._group.first)
        plugin.choose_stage(settings.stage)
        self._phases = plugin.phases(settings)
        _check_phases(self._phases, settings)
        self._prepare_networks()
        made = build_optimizers(self._phases, plugin.networks, self._trainable, settings)
        self._optimizers, self._rates = made.by_phase, made.rates
        self._losses = processes.phase_losses(self._phases, plugin.networks, self._group)
        scalers = {
            phase.name: torch.amp.GradScaler(self._device.type, enabled=precision == "fp16") for phase in self._phases
        }
        self._steps = {
            phase.name: PhaseStep(phase, self._optimizers[phase.name], settings, scalers[phase.name])
            for phase in self._phases
        }
        self._average = WeightAverage(plugin.networks, plugin.inference_networks, settings.ema_decay)
        self._validation = Validation(plugin, validation or store, settings, scored=validation is not None)
        self._log.experiment(settings.name, settings.note)
        self._others = Guard(Validation(plugin, others, settings, scored=True), settings) if others else None
        self._items = settings.batch_size * self._group.world * settings.accumulate
        self._epoch_steps = max(1, len(store.clips()) * settings.repeats // self._items)
        self._total = settings.max_steps or settings.epochs * self._epoch_steps
        self._checkpoints = Checkpoints(
            self._folder, plugin, self._average, self._optimizers, scalers, settings, metadata or {}
        )
        if self._others is not None and self._group.first:
            self._others.begin(self._device)
        self.step = self._resume()

    def run(self) -> TrainResult:
        """Train to the end, to the time limit, or until Ctrl-C or SIGTERM; the state is saved before returning.

        Raises:
            TrainingError: if a loss or a gradient is not finite; that step is not saved.
        """
        for line in (*self._origins, self._headline()):
            self._log.line(line)
        with StopRequest(self._settings.max_seconds) as stop:
            try:
                with processes.losing_others(self._group):
                    reason = self._loop(stop)
            finally:
                restore_trainable(self._plugin.networks, self._trainable)
        self._save()
        with processes.losing_others(self._group):
            self._group.wait()
        self._log.line(f"{reason} after step {self.step}: {self._checkpoints.state(self.step)}")
        self._log.close()
        return self._result(reason)

    def _loop(self, stop: StopRequest) -> str:
        batches = self._batches()
        last_save = last_log = time.monotonic()
        logged_step = self.step
        if self._settings.finetune and self.step == 0:
            self._report_if_due()  # the weights at the start are the first that may be the best
        while self.step < self._total:
            losses = self._one_step(batches)
            if self.step % self._settings.log_every == 0 or self.step == self._total:
                now = time.monotonic()
                rate = (self.step - logged_step) / max(now - last_log, 1e-9)
                self._log_losses(losses, rate)
                last_log, logged_step = now, self.step
            self._report_if_due()
            if time.monotonic() - last_save >= self._settings.checkpoint_every_s:
                self._save()
                last_save = time.monotonic()
            if reason := self._group.agree(stop.reason or self._no_better_score()):
                return reason
        return "finished"

    def _one_step(self, batches: Iterator[Batch]) -> dict[str, Tensor]:
        """Run all phases of one step in order; returns the loss terms () by ``phase/term``.

        With several batches to a step all phases see a batch before the next one comes, as a discriminator needs
        what the phase before it made of the same batch; the optimizers follow after the last one.
        """
        torch.manual_seed(_seed_of(self._settings.seed, self.step, self._group.rank))
        due = [phase for phase in self._phases if self.step % phase.every == 0]
        parts, losses = self._settings.accumulate, dict[str, Tensor]()
        for part in range(1, parts + 1):
            batch = next(batches)
            for phase in due:
                for name, value in self._backward(phase, batch, last=part == parts).items():
                    losses[name] = losses.get(name, 0) + value / parts
                if parts == 1:
                    self._step(phase)
        for phase in due if parts > 1 else ():
            self._step(phase)
        self.step += 1
        self._average.update(self.step)
        return losses

    def _backward(self, phase: Phase, batch: Batch, *, last: bool) -> dict[str, Tensor]:
        """Add the gradients of a phase for a batch; returns its loss terms () by ``phase/term``."""
        freeze_others(self._plugin.networks, phase, self._trainable)
        loss = self._losses[phase.name]
        with processes.without_sync(loss, last=last):
            with self._autocast():
                terms = loss(batch)
            self._steps[phase.name].add(terms, self.step)
        return {f"{phase.name}/{name}": value.detach() for name, value in terms.items()}

    def _step(self, phase: Phase) -> None:
        self._set_learning_rate(phase, self._optimizers[phase.name])
        self._steps[phase.name].take(self.step)

    def _autocast(self) -> AbstractContextManager[None]:
        kind = torch.float16 if self._precision == "fp16" else torch.bfloat16
        return torch.autocast(self._device.type, kind, enabled=self._precision != "float32")

    def _set_learning_rate(self, phase: Phase, optimizer: torch.optim.Optimizer) -> None:
        scale = learning_rate_factor(self._settings, self.step, self._total, self._epoch_steps, phase.milestones)
        for group, base in zip(optimizer.param_groups, self._rates[phase.name], strict=True):
            group["lr"] = scale * base

    def _batches(self) -> Iterator[Batch]:
        settings = self._settings
        batches = Batches(
            self._store,
            self._plugin.samples(),
            batch_size=settings.batch_size,
            image_size=settings.image_size,
            seed=settings.seed,
            augment=settings.augment,
            rank=self._group.rank,
            world=self._group.world,
        )
        cuda = self._device.type == "cuda"
        numbers = range(self.step * settings.accumulate, self._total * settings.accumulate)
        loader = batch_loader(batches, numbers, settings.workers, pin=cuda)
        return (self._to_device(batch) for batch in loader)

    def _to_device(self, batch: Batch) -> Batch:
        moved = {name: value.to(self._device, non_blocking=True) for name, value in batch.items()}
        if not self._settings.channels_last:
            return moved
        layout = torch.channels_last
        return {name: v.contiguous(memory_format=layout) if v.ndim == 4 else v for name, v in moved.items()}

    def _prepare_networks(self) -> None:
        networks = self._plugin.networks
        if self._settings.sync_batchnorm:
            shared_norm.share_statistics(networks, self._device)
        if self._settings.recompute:
            self._log.line(f"{checkpoint_blocks(networks)} blocks compute their activations again")
        if self._settings.init_from is not None:
            loaded, line = initialise(networks, self._settings.init_from, self._plugin.name)
            self._held += loaded
            self._log.line(line)
        networks.to(self._device)
        if self._settings.channels_last:
            _lay_channels_last(networks)
        learn(networks, fixed_norms=self._settings.fixed_norms)
        self._trainable = {id(parameter) for parameter in networks.parameters() if parameter.requires_grad}

    def _log_losses(self, losses: dict[str, Tensor], steps_per_s: float) -> None:
        means = processes.mean_over(self._group, losses)
        rates = {f"{name}/learning_rate": own.param_groups[0]["lr"] for name, own in self._optimizers.items()}
        self._log.scalars(self.step, "train", {**means, **rates, "steps_per_s": steps_per_s})

    def _report_if_due(self) -> None:
        """Validate and write pictures, with the averaged weights, at their intervals and after the last step."""
        settings = self._settings
        score_due = self._due(settings.validate_every) and self._validation.scored
        show_due = self._due(settings.image_every)
        if not self._group.first or not (score_due or show_due):
            return
        best = False
        with self._average.in_place():
            if show_due:
                self._log.pictures(self.step, self._validation.pictures(self._device))
            if score_due:
                best = self._score()
        if best:
            self._checkpoints.save(self.step, best=True)

    def _due(self, every: int) -> bool:
        return self.step % (every or self._epoch_steps) == 0 or self.step == self._total

    def _score(self) -> bool:
        """Validate; returns True if the score is the best so far."""
        scores = self._validation.scores(self._device)
        self._log.scalars(self.step, "validation", scores)
        if self._others is not None:
            others, allowed = self._others.scores(self._device)
            self._log.scalars(self.step, "others", others)
            if not allowed:
                self._log.line("not kept: other people are drawn worse than --train.others_limit allows")
                return False
        return self._checkpoints.improves(self._validation.ranked(scores), self.step)

    def _no_better_score(self) -> str:
        """Reason to stop where the last validations gave no better score; empty to continue."""
        every = self._settings.validate_every or self._epoch_steps
        patience = self._settings.patience
        late = patience is not None and self._checkpoints.since_best(self.step) >= patience * every
        return processes.NO_BETTER if late and self.step < self._total else ""

    def _save(self) -> None:
        if self._group.first:
            self._checkpoints.save(self.step)

    def _resume(self) -> int:
        """Restore the state that the settings name, if any; returns the number of steps done."""
        if self._group.first:
            clear_remains(self._folder / "states")
        self._group.wait()
        found = find_resume(self._settings.resume, self._folder)
        if not found:
            check_required_networks(self._phases, self._held)
            return 0
        for number, saved in enumerate(found, 1):
            try:
                step, line = self._checkpoints.restore(saved, agree=self._group.first)
            except DamagedStateError as error:
                if number == len(found):
                    raise
                self._log.line(f"warning: {error.where}: {error.what}; going on from the state before it")
                continue
            self._log.line(line)
            break
        return step

    def _result(self, reason: str) -> TrainResult:
        kept, best = self._checkpoints, self._checkpoints.weights("best")
        score = self._validation.told(kept.best[0]) if kept.best else None
        present = best if best.is_file() else None
        return TrainResult(self.step, reason, kept.state(self.step), kept.weights("last"), present, score)

    def _headline(self) -> str:
        clips = self._store.clips()
        people = len({clip.identity for clip in clips})
        data = f"{len(clips)} clips of {people} identities, {sum(clip.frames for clip in clips)} frames"
        counts = self._settings.batch_size, self._group.world, self._settings.accumulate
        batches = " x ".join(map(str, counts if counts[-1] > 1 else counts[:-1]))
        size = f"{self._settings.image_size} pixels, batches of {batches}"
        name = " ".join(filter(None, [self._plugin.name, self._plugin.stage]))
        return f"{name}: {data}; {size}; steps {self.step} to {self._total}, {self._epoch_steps} an epoch"


def _check_phases(phases: list[Phase], settings: TrainSettings) -> None:
    names = [phase.name for phase in phases]
    for name in settings.learning_rates:
        if name not in names:
            raise ConfigError(f"no phase '{name}'", where="--train.learning_rates", cure=did_you_mean(name, names))


def _lay_channels_last(networks: nn.ModuleDict) -> None:
    """Store 2-D convolution kernels with channels last; other weights stay as they are."""
    for value in networks.state_dict(keep_vars=True).values():
        if value.ndim == 4:
            value.data = value.data.contiguous(memory_format=torch.channels_last)


def _seed_of(*numbers: int) -> int:
    """Combine several numbers to one seed; similar numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
