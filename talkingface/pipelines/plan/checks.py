"""Everything that can be refused before a network is loaded: flags, files, packages, and weights by their notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import registry
from ...config.checks import flag_problems, looks_for_faces, speaks, voices
from ...errors import ConfigError, TalkingFaceError, collected, together
from ...face.detect.analyser import available, open_analyser, problem_of
from ...face.detect.from_file import FileAnalyser
from ...media.pictures import is_picture
from ...media.probe import probe
from ...motion.file import MotionFacts, read_motion_facts
from ...motion.kinds import COEFFICIENTS_KIND, check_drawn
from ...plugins import PASTES
from ...weights.status import file_of
from .assignment import DriverAssignment, find_drivers
from .inputs import input_problems, plan_each
from .known_weights import check_files, config_of, shipped_weights

if TYPE_CHECKING:
    from ...config.schema import Settings


def check_settings(settings: Settings) -> None:
    """Refuse what cannot become an animation, before a network is loaded; all problems are reported at once.

    Raises:
        TalkingFaceError: the only problem, or all of them, a line each.
    """
    if problems := settings_problems(settings):
        raise together(problems)


def settings_problems(settings: Settings, known: Sequence[TalkingFaceError] = ()) -> list[TalkingFaceError]:
    """Everything that is wrong with the settings of an animation and with the files that they name. Loads no torch.

    Args:
        known: what is wrong with other flags; a missing driver is not reported then, as a misspelt flag may name it.
    """
    problems = flag_problems(settings)
    for check in (_device, _paste, _landmarks, _enhancers, _weights):
        with collected(problems):
            problems += check(settings)
    assignments, more = find_drivers(settings, missing=not known)
    problems += [*more, *input_problems(settings, assignments), *_motions(settings, assignments)]
    if not problems and not known:  # what is left needs all of the files
        with collected(problems):
            plan_each(settings)
    return problems


def _device(settings: Settings) -> list[TalkingFaceError]:
    if settings.device not in ("auto", "cpu"):
        from ..model import choose_device  # loads torch, which alone knows

        choose_device(settings.device)
    return []


def _paste(settings: Settings) -> list[TalkingFaceError]:
    PASTES.get(settings.paste, where="--paste")
    return []


def _landmarks(settings: Settings) -> list[TalkingFaceError]:
    """A named backend that cannot be used, a file of points that cannot be read, no backend where one is needed."""
    name, file, root = settings.landmarks, settings.landmarks_file, settings.weights_root
    if not looks_for_faces(settings) or name == "none":
        return []
    if name in ("auto", "given") and file is not None:
        FileAnalyser.open(file)
    elif name == "auto" and registry.entry(settings.model).coefficients:
        _check_some_backend(root)
    elif name not in ("auto", "given"):
        problem = problem_of(name, root)
        return [] if problem is None else [problem]
    return []


def _check_some_backend(root: Path) -> None:
    """Raise the error of ``--landmarks=auto`` where no backend can be used; opens none."""
    if all(backend.problem is not None for backend in available(root)):
        open_analyser("auto", root=root)


def _enhancers(settings: Settings) -> list[TalkingFaceError]:
    """Packages and files that enhancers lack."""
    if settings.enhancer is None and settings.background_enhancer is None:
        return []
    from ...enhance.networks import RESTORERS, UPSCALERS, import_spandrel  # loads torch

    problems: list[TalkingFaceError] = []
    for flag, names in (("enhancer", RESTORERS), ("background_enhancer", UPSCALERS)):
        word = getattr(settings, flag)
        if word is not None:
            with collected(problems):
                import_spandrel(f"--{flag}={word}")
                file_of(names[word], settings.weights_root, f"--{flag}={word}")
    if settings.enhancer is not None:
        with collected(problems):
            _check_some_backend(settings.weights_root)
    return problems


def _weights(settings: Settings) -> list[TalkingFaceError]:
    """Weights that are not there or are another model's, a configuration that is wrong, and flags that they refuse."""
    config, root = config_of(settings), settings.weights_root
    problems: list[TalkingFaceError] = [*settings.own.misfits(config)]
    for name in () if problems else settings.own.files(config):
        with collected(problems):
            file_of(name, root)
    if registry.entry(settings.model).coefficients:
        with collected(problems):
            check_files(getattr(config, "space", ""), model=settings.model, root=root)
    return problems + _voice(settings, config)


def _voice(settings: Settings, config: Any) -> list[TalkingFaceError]:
    """Why no voice of another model speaks in the space of these weights; empty where one does, or nobody can know."""
    entry, space = registry.entry(settings.model), getattr(config, "space", None)
    own = settings.voice_model in (None, settings.model) and entry.pose_styles != 0
    if not speaks(settings) or own or space is None or not entry.coefficients:
        return []
    named = [settings.voice_model] if settings.voice_model else [name for name, count in voices().items() if count != 0]
    problems: list[TalkingFaceError] = []
    for name in (name for name in named if name != settings.model):
        for checkpoint in (None, *shipped_weights(name)):
            theirs: dict[str, Any] = {
                "model": name,
                "checkpoint": checkpoint,
                "variant": None,
                "image_size": None,
                "model_params": {},
            }
            with collected(problems):
                voice = config_of(settings.model_copy(update=theirs))
                if getattr(voice, "space", space) == space:
                    return []
                problems.append(_unfit(settings, name, voice.space, space))
    return problems[:1]


def _unfit(settings: Settings, voice: str, theirs: str, ours: str) -> ConfigError:
    return ConfigError(
        f"the voice of {voice} moves faces in the space '{theirs}', and these weights draw '{ours}'",
        where="--idle_seconds" if settings.audio_path is None else f"--audio_path={settings.audio_path}",
        cure="Choose another --checkpoint, so that both are official or both are compact.",
    )


def _motions(settings: Settings, assignments: Sequence[DriverAssignment]) -> list[TalkingFaceError]:
    """Motion files that are damaged or that the model does not draw, and a ``--best_frame`` that no driver has."""
    problems: list[TalkingFaceError] = []
    facts: dict[Path, MotionFacts] = {}
    for path in dict.fromkeys(one.driving for one in assignments if one.signal == "motion"):
        with collected(problems):
            facts[path] = read_motion_facts(path)
    with collected([]):  # what is wrong with the weights is reported by `_weights`
        config = config_of(settings) if facts else None
        for path, fact in facts.items():
            with collected(problems):
                check_drawn(fact.kind, fact.space, *drawn(settings.model, config), where=path)
    if facts and not problems:
        with collected(problems):
            _check_trained_space(settings, facts)
    if not problems:
        with collected(problems):
            _check_best_frame(settings, assignments, facts)
    return problems


def _check_trained_space(settings: Settings, facts: Mapping[Path, MotionFacts]) -> None:
    """Refuse motions of other weights where these alone tell them apart: a part of the model is loaded."""
    if registry.entry(settings.model).coefficients:
        return
    from ..model import motion_space  # loads torch

    space = motion_space(settings)
    for path, fact in facts.items():
        check_drawn(fact.kind, fact.space, None, space or None, where=path)


def drawn(model: str, config: Any) -> tuple[str | None, str | None]:
    """(kind, space) of the motions that a model draws with a configuration; None where only its networks know it."""
    if registry.entry(model).coefficients:
        return f"{COEFFICIENTS_KIND}.70", getattr(config, "space", None)
    return getattr(config, "motion_kind", None), None


def _check_best_frame(
    settings: Settings, assignments: Sequence[DriverAssignment], facts: Mapping[Path, MotionFacts]
) -> None:
    number = settings.best_frame
    # Several drivers and other rates are known where motions are brought to one rate.
    if number is None or settings.fps is not None or len(assignments) != 1:
        return
    length = _length(assignments[0], facts)
    if length is not None and number >= length:
        raise ConfigError(f"there is no frame {number}", where="--best_frame", cure=f"Use 0 to {length - 1}.")


def _length(assignment: DriverAssignment, facts: Mapping[Path, MotionFacts]) -> int | None:
    """Frames of a driver at its own rate; None where only reading it all would tell."""
    path = assignment.driving
    if path in facts:
        return facts[path].frames
    if not assignment.entry.shows_frames or not path.is_file():
        return None
    if is_picture(path):
        return 1
    info = probe(path)
    return None if info.damaged else info.frames
