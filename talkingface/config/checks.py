"""Flags of an animation that contradict each other or its model, by the registry alone: without torch or a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import registry
from ..errors import ConfigError, TalkingFaceError, UnknownNameError, collected
from ..plugins import DriverEntry
from .options import drivers
from .schema import Movement, Settings, SettingsGroup, Speech

DRIVE = re.compile(r"(\d{1,4})=(.+)", re.DOTALL)
_OF_COEFFICIENTS = ("expression_scale", "still", "input_yaw", "input_pitch", "input_roll")
_SILENT = "Give --audio_path or --idle_seconds, or leave it out."
_OWN_MOVEMENT = "Give --audio_path or --idle_seconds; --video_source brings blinks and head motion of its own."
_NO_SPEECH = {"ref_eyeblink": _OWN_MOVEMENT, "ref_pose": _OWN_MOVEMENT}
_LEAVE_OUT, _OMIT = "Leave one of them out.", "Leave it out."


def flag_problems(settings: Settings) -> list[TalkingFaceError]:
    """Everything that is wrong with the flags of an animation, each with its cure; other jobs have none."""
    if settings.run_mode != "infer":
        return []
    return [
        *_drivers(settings),
        *_faces(settings),
        *_boxes(settings),
        *_landmarks(settings),
        *_movement(settings),
        *_speech(settings),
        *_enhancers(settings),
        *settings.own.conflicts(),
    ]


def drivers_in(settings: Settings) -> dict[str, DriverEntry]:
    """Drivers that the settings ask for, by their setting; more than one contradict each other."""
    flags = {entry.flag or settings.own.demonstration: entry for entry in drivers().values()}
    return {flag: entry for flag, entry in flags.items() if getattr(settings, flag or "_", None) not in (None, False)}


def speaks(settings: Settings) -> bool:
    """True where a voice makes the motion, of a sound or of nothing."""
    return any(entry.speaks for entry in drivers_in(settings).values())


def looks_for_faces(settings: Settings) -> bool:
    """True where faces are detected, because parts of pictures are cut or coefficients are read."""
    coefficients = registry.entry(settings.model).coefficients
    return bool(coefficients) or (settings.if_align and settings.preprocess != "resize")


def several_drivers(flags: Sequence[str]) -> ConfigError:
    """The error of several drivers."""
    cure = "Give one of them."
    if {"audio_path", "idle_seconds"} & set(flags) and "video_source" in flags:
        cure += " --ref_pose=VIDEO adds the head motion of a video to a voice; --audio=FILE only adds a sound."
    number = "both" if len(flags) == 2 else "all"
    return ConfigError(f"{' and '.join(f'--{name}' for name in flags)} would {number} drive", cure=cure)


def changed(settings: Settings, group: type[SettingsGroup]) -> list[str]:
    """Settings of a group that have another value than the default."""
    return [name for name, field in group.model_fields.items() if getattr(settings, name) != field.get_default()]


def read_drive(text: str) -> tuple[int, Path]:
    """``0=a.mp4`` -> (0, a.mp4), a face and what drives it.

    Raises:
        ConfigError: it is written otherwise.
    """
    match = DRIVE.fullmatch(text)
    if match is None:
        raise ConfigError("is not FACE=FILE", where=f"--drive={text}", cure="Write --drive 0=a.mp4 1=b.mp4.")
    return int(match[1]), Path(match[2])


def _drivers(settings: Settings) -> list[TalkingFaceError]:
    """More drivers than one for a face."""
    given, faces = list(drivers_in(settings)), list[int]()
    problems: list[TalkingFaceError] = [several_drivers(given)] if len(given) > 1 else []
    if registry.entry(settings.model).coefficients is False:
        what, cure = f"{settings.model} is not driven by face coefficients", "Choose another --model."
        entries = drivers_in(settings).items()
        problems += [ConfigError(what, where=f"--{flag}", cure=cure) for flag, entry in entries if entry.coefficients]
    for text in settings.drive:
        with collected(problems):
            faces.append(read_drive(text)[0])
    twice = sorted({face for face in faces if faces.count(face) > 1})
    problems += [
        ConfigError(f"face {face} has two drivers", where="--drive", cure="Name each face once.") for face in twice
    ]
    return problems


def _faces(settings: Settings) -> Iterator[ConfigError]:
    """Settings about faces that would be ignored."""
    asked = [flag for flag in ("face", "drive", "face3dvis") if getattr(settings, flag)]
    off = [word for word, blind in _without_faces(settings).items() if blind]
    for flag in asked if off else ():
        looks = "looks" if len(off) == 1 else "look"
        yield ConfigError(f"--{flag} needs faces, and {' and '.join(off)} {looks} for none", cure=_LEAVE_OUT)
    if not off and settings.preprocess in ("crop", "extcrop"):
        for flag in [flag for flag in asked if flag == "drive" or (flag == "face" and settings.face == "all")]:
            yield ConfigError(
                f"--{flag} moves faces in their places, and --preprocess={settings.preprocess} shows one face alone",
                cure="Use --preprocess=full.",
            )
    if settings.face and settings.drive and not drivers_in(settings):
        yield ConfigError(
            "--face says whom --video_source moves, and there is none",
            cure="Leave --face out, or give --video_source for the faces that --drive does not name.",
        )


def _boxes(settings: Settings) -> Iterator[ConfigError]:
    """Places and limits of faces that contradict another choice of them, or would be ignored."""
    videos = (settings.video_source, settings.drive, settings.ref_pose, settings.ref_eyeblink)
    if settings.source_box and settings.image_source is None:
        yield ConfigError("--source_box is for the picture, and there is none", cure="Use --driving_box for the video.")
    if settings.driving_box and not any(videos):
        yield ConfigError("--driving_box is for a driving video, and there is none", cure="Leave it out.")
    for box, others in (("source_box", ("face", "drive", "landmarks_file")), ("driving_box", ("driving_face",))):
        for other in (name for name in others if getattr(settings, box) and getattr(settings, name)):
            yield ConfigError(f"--{box} and --{other} both say which face is meant", cure="Give one of them.")
    for name in ("source_box", "driving_box", "face_threshold"):
        if getattr(settings, name) and not looks_for_faces(settings):
            off = "--preprocess=resize" if settings.if_align else "--no-if_align"
            yield ConfigError(f"--{name} needs faces, and {off} looks for none", cure="Leave one of them out.")


def _without_faces(settings: Settings) -> dict[str, bool]:
    """Settings with which no face is looked for -> True where they are so."""
    return {
        "--no-if_align": not settings.if_align,
        "--landmarks=none": settings.landmarks == "none",
        "--preprocess=resize": settings.preprocess == "resize",
    }


def _landmarks(settings: Settings) -> Iterator[ConfigError]:
    if settings.landmarks == "none" and registry.entry(settings.model).coefficients:
        what = f"{settings.model} moves faces by coefficients that are read off them, so a face has to be found"
        yield ConfigError(what, where="--landmarks=none", cure="Leave it out.")
    if settings.landmarks == "given" and settings.landmarks_file is None and looks_for_faces(settings):
        what = "needs a file with points or boxes"
        yield ConfigError(what, where="--landmarks=given", cure="Give --landmarks_file.")


def _movement(settings: Settings) -> Iterator[ConfigError]:
    if registry.entry(settings.model).coefficients is False:
        for name in changed(settings, Movement):
            if name in _OF_COEFFICIENTS:
                what = f"{settings.model} moves points of its own, which no flag can tell head from expression"
                cure = "Choose a --model with face coefficients, or leave it out."
                yield ConfigError(what, where=f"--{name}", cure=cure)
    yield from _reference_frame(settings)
    sized = "image_size" in registry.config_class(settings.model).model_fields
    if settings.image_size is not None and not sized:
        where = f"--image_size={settings.image_size}"
        yield ConfigError(f"{settings.model} draws at one size only", where=where, cure="Leave it out.")


def _reference_frame(settings: Settings) -> Iterator[ConfigError]:
    """Choices of the driving frame in which the source's pose is met that contradict each other or are ignored."""
    number, search = settings.best_frame, settings.find_best_frame
    if number is not None and search:
        yield ConfigError("--best_frame and --find_best_frame both choose the frame", cure=_LEAVE_OUT)
    limit = settings.frame_limit
    if number is not None and limit is not None and number >= limit:
        what = f"frame {number} is not among the {limit} of --frame_limit"
        yield ConfigError(what, where="--best_frame", cure=f"Use 0 to {limit - 1}, or another --frame_limit.")
    why = "" if number is None and not search else _without_reference(settings)
    for name in ("best_frame", "find_best_frame") if why else ():
        if name in changed(settings, Movement):
            yield ConfigError(f"chooses where a driver's change begins, and {why}", where=f"--{name}", cure=_OMIT)


def _without_reference(settings: Settings) -> str:
    """Reason why the driver's movement is not taken as its change since a frame; empty where it is."""
    entries = drivers_in(settings)
    if not settings.relative:
        return "--no-relative takes the poses themselves"
    if settings.image_source is None and any(entry.shows_frames for entry in entries.values()):
        return "without --image_source the first frame is the source itself"
    for flag, entry in entries.items():
        if (entry.speaks or flag == settings.own.demonstration) and not settings.drive:
            return f"--{flag} moves the source's own face"
    return ""


def _speech(settings: Settings) -> Iterator[TalkingFaceError]:
    if not speaks(settings):
        for name in changed(settings, Speech):
            yield ConfigError(f"--{name} is for a picture that speaks or idles", cure=_NO_SPEECH.get(name, _SILENT))
        return
    flag = "--idle_seconds" if settings.audio_path is None else f"--audio_path={settings.audio_path}"
    if registry.entry(settings.model).coefficients is False:
        what = f"{settings.model} is driven by frames, not by sound"
        speaking = (f"--model={name}" for name, styles in voices().items() if styles)
        yield ConfigError(what, where=flag, cure=f"Use {' or '.join(speaking) or 'another --model'}.")
        return
    if settings.voice_model is not None:
        try:
            registry.entry(settings.voice_model)
        except (UnknownNameError, ConfigError) as error:
            yield type(error)(error.what, where="--voice_model", cure=error.cure)
            return
    yield from _style(settings)


def _style(settings: Settings) -> Iterator[ConfigError]:
    """A voice without styles, or a style that no voice in question has."""
    known = voices()
    named = [settings.voice_model or settings.model]
    if settings.voice_model is None and known[settings.model] == 0:
        named = [name for name in known if name != settings.model]
    styles = [known[name] for name in named]
    most = max((count for count in styles if count is not None), default=0)
    if None in styles or settings.pose_style < most:
        return
    if settings.voice_model is not None and most == 0:
        speaking = ", ".join(name for name, count in known.items() if count) or "none"
        where = f"--voice_model={settings.voice_model}"
        yield ConfigError(f"{settings.voice_model} has no voice", where=where, cure=f"Use {speaking}.")
    elif most:
        cure = f"Use 0 to {most - 1}."
        yield ConfigError(f"there is no style {settings.pose_style}", where="--pose_style", cure=cure)


def voices() -> dict[str, int | None]:
    """Models that are not broken -> how many styles of head motion their voice knows; 0: none; None: unknown."""
    broken = registry.broken()
    return {name: registry.entry(name).pose_styles for name in registry.models() if name not in broken}


def _enhancers(settings: Settings) -> Iterator[ConfigError]:
    words = [word for word in (settings.enhancer, settings.background_enhancer) if word is not None]
    if not words and settings.upscale is not None:
        what = "enlarges what an enhancer makes, and there is none"
        yield ConfigError(what, where=f"--upscale={settings.upscale}", cure="Add --enhancer=gfpgan.")
    for flag in ("compare", "visualize"):
        if words and getattr(settings, flag):
            what = f"shows frames as the model draws them, so they cannot be enhanced ({', '.join(words)})"
            yield ConfigError(what, where=f"--{flag}", cure="Leave one of the two out.")
