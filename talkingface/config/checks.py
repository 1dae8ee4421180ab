"""Flags of an animation that contradict each other or its model, by the registry alone: without torch or a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import registry
from ..errors import ConfigError, TalkingFaceError, UnknownNameError, collected
from ..plugins import DriverEntry
from .options import drivers
from .schema import Movement, Settings

DRIVE = re.compile(r"(\d{1,4})=(.+)", re.DOTALL)
_OF_COEFFICIENTS = ("expression_scale", "still", "input_yaw", "input_pitch", "input_roll")


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
    flag = next((flag for flag in ("face", "drive", "face3dvis") if getattr(settings, flag)), None)
    if flag is None:
        return
    if not settings.if_align or settings.landmarks == "none" or settings.preprocess == "resize":
        off = "--no-if_align" if not settings.if_align else "--landmarks=none"
        off = "--preprocess=resize" if settings.if_align and settings.landmarks != "none" else off
        yield ConfigError(f"--{flag} needs faces, and {off} looks for none", cure="Leave one of them out.")
    elif (settings.face == "all" or settings.drive) and settings.preprocess in ("crop", "extcrop"):
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


def _landmarks(settings: Settings) -> Iterator[ConfigError]:
    if settings.landmarks == "none" and registry.entry(settings.model).coefficients:
        what = f"{settings.model} moves faces by coefficients that are read off them, so a face has to be found"
        yield ConfigError(what, where="--landmarks=none", cure="Leave it out.")
    if settings.landmarks == "given" and settings.landmarks_file is None and looks_for_faces(settings):
        what = "needs a file with points or boxes"
        yield ConfigError(what, where="--landmarks=given", cure="Give --landmarks_file.")


def _movement(settings: Settings) -> Iterator[ConfigError]:
    if registry.entry(settings.model).coefficients is False:
        for name in _OF_COEFFICIENTS:
            if getattr(settings, name) != Movement.model_fields[name].default:
                what = f"{settings.model} moves points of its own, which no flag can tell head from expression"
                cure = "Choose a --model with face coefficients, or leave it out."
                yield ConfigError(what, where=f"--{name}", cure=cure)
    sized = "image_size" in registry.config_class(settings.model).model_fields
    if settings.image_size is not None and not sized:
        where = f"--image_size={settings.image_size}"
        yield ConfigError(f"{settings.model} draws at one size only", where=where, cure="Leave it out.")


def _speech(settings: Settings) -> Iterator[TalkingFaceError]:
    if not speaks(settings):
        for name in ("ref_eyeblink", "ref_pose"):
            if getattr(settings, name) is not None:
                cure = "Give --audio_path or --idle_seconds; --video_source brings blinks and head motion of its own."
                yield ConfigError(f"--{name} is for a picture that speaks or idles", cure=cure)
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
