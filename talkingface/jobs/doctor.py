"""``--run_mode=doctor``: check this machine: a summary of what works and what to do, and each finding on request."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .. import __version__, registry
from ..config.options import driver_fault
from ..errors import TalkingFaceError
from ..paths import install_command
from ..plugins import DRIVERS, FORMATS, LANDMARKS, METRICS, PASTES

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "nothing was changed"
ESSENTIAL_CODECS = {"libx264": "mp4 pictures", "aac": "mp4 sound"}
SUMMARY_LINES = 5
WEIGHTS = "weights"
TAKEN = "--landmarks=auto takes it"
EXTRAS = {"tensorboard": ("log", "training curves in TensorBoard; the text log is always written")}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: the checked part.
        text: result of the check.
        cure: advice; empty if nothing is wrong.
        broken: nothing can work before this is repaired.
        optional: what it lacks is needed by few runs, which ask for it themselves.
    """

    topic: str
    text: str
    cure: str = ""
    broken: bool = False
    optional: bool = False


def run(settings: Settings) -> int:
    """Print the summary, or with ``--verbose`` every finding; exit status 2 if something essential is broken."""
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if settings.verbose:
            _print(finding)
    if not settings.verbose:
        print("\n".join(summary(findings)), flush=True)
    return 2 if any(finding.broken for finding in findings) else 0


def _print(finding: Finding) -> None:
    mark = "error" if finding.broken else "lacks" if finding.cure else "ok"
    print(f"{mark:<6} {finding.topic:<11} {finding.text}", flush=True)
    if finding.cure:
        print(f"{'':<18} -> {finding.cure}", flush=True)


def summary(findings: Sequence[Finding]) -> list[str]:
    """At most five lines: what works, what to do first, what could be added, and how to see the rest."""
    broken = [finding for finding in findings if finding.broken]
    urgent = [*broken, *(finding for finding in findings if finding.cure and not (finding.broken or finding.optional))]
    spare = [finding for finding in findings if finding.cure and finding.optional]
    spare = [finding for finding in spare if finding.topic not in {item.topic for item in urgent}]
    added = list(dict.fromkeys(finding.topic for finding in spare))
    lines = [] if broken else _works(findings)
    room = SUMMARY_LINES - 1 - len(lines) - bool(added)
    most_urgent = urgent if len(urgent) <= room else urgent[: room - 1]
    lines += [
        f"{'error' if item.broken else 'to do'}  {item.topic}: {item.text} -> {item.cure}" for item in most_urgent
    ]
    if len(most_urgent) < len(urgent):
        lines.append(f"to do  {len(urgent) - len(most_urgent)} more")
    if added:
        count = sum(finding.topic == WEIGHTS for finding in spare)
        parts = [f"{count} published weight files" if topic == WEIGHTS else topic for topic in added]
        lines.append(f"option can be added, is not needed: {', '.join(parts)}")
    whole = "all of it, and the cures" if urgent or added else "all of it"
    return [*lines, f"more   {whole}: --run_mode=doctor --verbose"]


def _works(findings: Sequence[Finding]) -> list[str]:
    """Abilities of this machine, and what gives them."""
    texts = {finding.topic: finding.text for finding in reversed(findings) if not finding.cure}
    detector = next((item.text.partition(":")[0] for item in findings if item.text.endswith(TAKEN)), "the model alone")
    return [
        f"works  {texts.get('models', 'no model')} on {texts.get('computes', 'this machine').partition(' (')[0]}; "
        f"faces are found by {detector}; results: {texts.get('formats', 'none')}",
        f"ok     {texts.get('animates', 'no weights')}",
    ]


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield all findings, the essential ones first."""
    yield Finding("program", f"talkingface {__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield from _torch(settings)
    yield from _codecs()
    yield from _landmarks(settings)
    yield from _operations()
    yield from _extras()
    yield from _enhancers()
    yield from _models()
    yield from _parts()
    yield from _weights(settings)


def _torch(settings: Settings) -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of its own that cannot be loaded
        yield Finding("torch", f"cannot be imported: {error}", "pip install torch", broken=True)
        return
    from ..pipelines.model import choose_device, choose_precision, cpu_bf16_units

    yield Finding("torch", f"{torch.__version__}, {torch.get_num_threads()} CPU threads")
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    yield Finding("devices", ", ".join([*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]))
    try:
        device = choose_device(settings.device)
        precision = str(choose_precision(settings.precision, device)).removeprefix("torch.")
        units = ", ".join(cpu_bf16_units()) or "no bfloat16 instructions that torch knows of"
        yield Finding("computes", f"device {device}, precision {precision} (this CPU has {units})")
    except TalkingFaceError as error:
        yield Finding("computes", error.what, error.cure or "Use --device=auto.", broken=True)


def _codecs() -> Iterator[Finding]:
    from ..media.ffmpeg import executable
    from ..media.formats import encoders

    try:
        program, listed = executable(), encoders()
    except TalkingFaceError as error:
        cure = "pip install imageio-ffmpeg, and unset IMAGEIO_FFMPEG_EXE or let it name an ffmpeg that starts"
        yield Finding("ffmpeg", error.what, cure, broken=True)
        return
    yield Finding("ffmpeg", program)
    for name, use in ESSENTIAL_CODECS.items():
        cure = "" if name in listed else "Unset IMAGEIO_FFMPEG_EXE, and: pip install --force-reinstall imageio-ffmpeg"
        yield Finding("codec", f"{name} ({use})", cure, broken=bool(cure))
    usable = FORMATS.usable()
    lacking = {name: made.lacks() for name, made in usable.items()}
    yield Finding("formats", ", ".join(f".{name}" for name in usable if not lacking[name]))
    for name, codecs in lacking.items():
        if codecs:
            cure = "pip install --upgrade imageio-ffmpeg"
            yield Finding("formats", f".{name} needs {' and '.join(codecs)}, not in this ffmpeg", cure, optional=True)


def _landmarks(settings: Settings) -> Iterator[Finding]:
    """Landmark backends, and the one that ``--landmarks=auto`` selects."""
    from ..face.detect.analyser import available
    from ..face.detect.backends import MESH

    found = available(settings.weights_root)
    taken = next((backend.name for backend in found if backend.problem is None), None)
    for backend in found:
        note = f"; {TAKEN}" if backend.name == taken else ""
        # One backend is enough: the others are no problem if one works.
        cure = (backend.problem.cure or "") if backend.problem and taken is None else ""
        yield Finding("landmarks", f"{backend.name}: {backend.state}{note}", cure, optional=True)
    if taken is None:
        cure = f"{MESH.install}, and --run_mode=fetch --checkpoint={MESH.bundle}"
        yield Finding("landmarks", "--landmarks=auto leaves the search for the face to the model", cure)


def _operations() -> Iterator[Finding]:
    """State of the native operations; without them StyleGAN2's operations are slower."""
    try:
        from ..ops import native
    except (ImportError, OSError):  # torch is missing, which is reported already
        return
    for state in native.states():
        yield Finding("operations", f"{state.kind}: {state.text}", state.cure, optional=True)


def _extras() -> Iterator[Finding]:
    for package, (extra, use) in EXTRAS.items():
        cure = "" if find_spec(package) else install_command(extra)
        yield Finding(f"extra {extra}", use, cure, optional=True)


def _enhancers() -> Iterator[Finding]:
    """Packages needed by ``--enhancer``; its files are listed with the weights."""
    try:
        from ..enhance.networks import missing_package
    except (ImportError, OSError):  # torch is missing, which is reported already
        return
    error = missing_package()
    text = "--enhancer and --background_enhancer" if error is None else error.what
    yield Finding("extra enhance", text, "" if error is None else error.cure or "", optional=True)


def _models() -> Iterator[Finding]:
    broken = registry.broken()
    yield Finding("models", ", ".join(name for name in registry.models() if name not in broken))
    for name, reason in broken.items():
        yield Finding("models", f"{name}: {reason}", "Update or uninstall the package that brings it.")


def _parts() -> Iterator[Finding]:
    """Landmark backends, metrics, formats, ways to paste and drivers that other packages add."""
    for kind in (LANDMARKS, METRICS, FORMATS, PASTES, DRIVERS):
        broken = kind.broken()
        if kind is DRIVERS:
            faults = {name: driver_fault(name, entry) for name, entry in DRIVERS.usable().items()}
            broken |= {name: fault for name, fault in faults.items() if fault is not None}
        for name in kind.names():
            if name in broken:
                cure = "Update or uninstall the package that brings it."
                yield Finding("plug-ins", f"{kind.noun} '{name}': {broken[name]}", cure)
            elif not kind.owns(name):
                yield Finding("plug-ins", f"{kind.noun} '{name}'")


def _weights(settings: Settings) -> Iterator[Finding]:
    from ..weights import resolve, status

    root = settings.weights_root
    try:
        yield Finding("animates", resolve(settings.model, settings.checkpoint, root, preferences=dict(settings)).label)
    except TalkingFaceError as error:
        yield Finding("animates", error.what, error.cure or "", broken=True)
    for item in status(root):
        text = f"{item.entry.name} ({item.entry.title}): {item.state}, {item.path}"
        yield Finding(WEIGHTS, text, item.advice, optional=item.state == "missing" and not item.entry.shipped_path)
