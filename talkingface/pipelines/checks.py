"""Everything that can be refused before a network is loaded: flags, files, packages, and weights by their notes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import registry
from ..config import model_config
from ..config.checks import flag_problems, looks_for_faces, speaks, voices
from ..enhance.networks import RESTORERS, UPSCALERS, import_spandrel
from ..errors import ConfigError, TalkingFaceError, collected, together
from ..face.detect.analyser import available, open_analyser, problem_of
from ..face.detect.from_file import FileAnalyser
from ..paths import default_checkpoint_root
from ..plugins import PASTES
from ..weights import resolve
from ..weights.load import read_notes
from ..weights.status import file_of
from .coefficients import check_files, shipped_weights
from .inputs import plan_each
from .model import as_trained, base_config, choose_device

if TYPE_CHECKING:
    from ..config.schema import Settings


def check_settings(settings: Settings) -> None:
    """Refuse what cannot become an animation, before a network is loaded; all problems are told at once.

    Raises:
        TalkingFaceError: the only problem, or all of them, a line each.
    """
    problems = settings_problems(settings)
    if problems:
        # What is wrong with the files is told in the same run; where nothing else is wrong, the plan itself says it.
        with collected(problems):
            plan_each(settings)
        raise together(problems)


def settings_problems(settings: Settings) -> list[TalkingFaceError]:
    """Everything that is wrong with the settings of an animation, but for its pictures, videos and sounds."""
    problems = flag_problems(settings)
    for check in (_device, _paste, _landmarks, _enhancers, _weights):
        with collected(problems):
            problems += check(settings)
    return problems


def _root(settings: Settings) -> Path:
    return settings.checkpoint_root or default_checkpoint_root()


def _device(settings: Settings) -> list[TalkingFaceError]:
    choose_device(settings.device)
    return []


def _paste(settings: Settings) -> list[TalkingFaceError]:
    PASTES.get(settings.paste, where="--paste")
    return []


def _landmarks(settings: Settings) -> list[TalkingFaceError]:
    """A named backend that cannot be used, a file of points that cannot be read, no backend where one is needed."""
    name, file, root = settings.landmarks, settings.landmarks_file, _root(settings)
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
    problems: list[TalkingFaceError] = []
    for flag, names in (("enhancer", RESTORERS), ("background_enhancer", UPSCALERS)):
        word = getattr(settings, flag)
        if word is not None:
            with collected(problems):
                import_spandrel(f"--{flag}={word}")
                file_of(names[word], _root(settings), f"--{flag}={word}")
    if settings.enhancer is not None:
        with collected(problems):
            _check_some_backend(_root(settings))
    return problems


def _weights(settings: Settings) -> list[TalkingFaceError]:
    """Weights that are not there or are another model's, a configuration that is wrong, and flags that they refuse."""
    config, root = config_of(settings), _root(settings)
    problems: list[TalkingFaceError] = [*settings.own.misfits(config)]
    for name in () if problems else settings.own.files(config):
        with collected(problems):
            file_of(name, root)
    if registry.entry(settings.model).coefficients:
        with collected(problems):
            check_files(getattr(config, "space", ""), model=settings.model, root=root)
    return problems + _voice(settings, config)


def config_of(settings: Settings) -> Any:
    """The model's configuration, as the weights that the settings name and the settings themselves say.

    Raises:
        UnknownNameError, WeightsError: there are no such weights.
        ConfigError: a setting of the model is wrong.
    """
    found = resolve(settings.model, settings.checkpoint, _root(settings), preferences=dict(settings))
    base = base_config(settings.model, found, read_notes(found.paths))
    sized = "image_size" in registry.config_class(settings.model).model_fields
    size = {"image_size": settings.image_size} if sized and settings.image_size is not None else {}
    return model_config(as_trained(settings, found), base | size)


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
