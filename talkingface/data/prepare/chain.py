"""The whole chain on one data set: list, download, crop, landmarks, coefficients, LMDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import DataError
from ...face.track.segments import CropRules
from ..store import identity_of
from .engine import Engine, open_engine
from .files import remove_parts
from .items import Clip, Video
from .manifest import Manifest, Record
from .report import Report
from .run_step import clips_of, run_step
from .settings import PrepareSettings, StepName
from .step import Step, Thing
from .steps.coefficients import ExtractCoefficients
from .steps.crop import CropVideo
from .steps.download import Download
from .steps.landmarks import ExtractLandmarks
from .steps.lists import check_splits, videos
from .steps.lmdb import EncodeClip, store_clips
from .tools import Tools

_LOCK = ".prepare.lock"


@dataclass(frozen=True)
class Folders:
    """Where everything goes.

    Attributes:
        root: of the data set; the LMDB is here.
        clips, landmarks, coefficients: of the steps, each with subfolders ``train`` and ``test``.
        manifests: of all steps.
    """

    root: Path
    clips: Path
    landmarks: Path
    coefficients: Path
    manifests: Path

    @classmethod
    def under(cls, root: Path) -> Folders:
        """The usual places: all but the LMDB in ``prepare/``, which no store looks into."""
        root = root.absolute()
        home = root / "prepare"
        return cls(root, home / "clips", home / "landmarks", home / "coefficients", home / "manifests")

    @classmethod
    def flat(cls, out: Path) -> Folders:
        """One step's results in a folder of their own, as the published scripts leave them."""
        out = out.absolute()
        return cls(out, out, out, out, out / ".prepare" / "manifests")


def prepare(settings: PrepareSettings, folders: Folders, tools: Tools, *, offline: bool = False) -> Report:
    """Make (or go on making) a data set; what is there and still valid is kept.

    Args:
        settings: what to make of what.
        folders: where it is made.
        tools: landmark backend and reconstructor.
        offline: download nothing.

    Returns:
        What came of it; also written to ``report.json`` beside the manifests.

    Raises:
        ConfigError, DataError: if settings or list make no sense, or another run is at work there.
        DependencyError, WeightsError: if a step lacks its tool; nothing has been begun then.
    """
    found = videos(settings)
    wanted = set(settings.steps)
    tools = tools.chosen(
        landmarks=bool({"crop", "landmarks"} & wanted),
        space=bool({"landmarks", "coefficients"} & wanted),  # it decides what is kept of the landmarks
    )
    with ExitStack() as stack:
        stack.enter_context(alone(folders.root))
        if settings.raw is not None and any(video.url for video in found):
            stack.enter_context(alone(settings.raw))
        report = _Chain(settings, folders, tools, offline, stack).run(found)
    report.save(folders.manifests.parent / "report.json")
    return report


class _Chain:
    """One run: the steps, the engine they share, and the report as it grows."""

    def __init__(
        self, settings: PrepareSettings, folders: Folders, tools: Tools, offline: bool, stack: ExitStack
    ) -> None:
        self.settings, self.folders, self.tools, self.offline = settings, folders, tools, offline
        self.report = Report(folders.root)
        self._stack = stack

    @cached_property
    def engine(self) -> Engine:
        """Started when there is anything to do."""
        return self._stack.enter_context(open_engine(self.settings))

    def run(self, found: Sequence[Video]) -> Report:
        dead = self._fetch(found)
        cropped = self._do(self._crop(), [video for video in found if video.path not in dead])
        clips = clips_of(cropped, self.folders.root)
        check_splits((identity_of(clip.name), clip.split) for clip in clips)
        clips = self._done(clips, self._do(self._landmarks(), clips))
        rows = self._do(self._coefficients(), clips)
        clips = self._done(clips, rows)
        self.report.space = next((str(record.facts["space"]) for record in rows if "space" in record.facts), "")
        if "lmdb" in self.settings.steps:
            clips = self._store(clips)
        lengths = {clip["name"]: clip["frames"] for record in cropped for clip in record.facts.get("clips", [])}
        self.report.count(clips, lengths)
        return self.report

    def _fetch(self, found: Sequence[Video]) -> set[Path]:
        """Download what is still needed; gives the files that cannot be had.

        A raw video whose clips are there may have been deleted to make room, and is not fetched again.
        """
        crop = self._crop()
        known, digest = Manifest(self.folders.manifests / f"{crop.name}.jsonl").records, crop.digest()
        wanted = {
            video.path: video  # the video of two people is fetched once
            for video in found
            if video.url and not (video.name in known and known[video.name].holds(self.folders.root, digest))
        }
        records = {record.item: record for record in self._do(self._download(), list(wanted.values()))}
        outcomes = {path: records.get(video.name) for path, video in wanted.items()}
        return {path for path, record in outcomes.items() if record is not None and record.outcome == "failed"}

    def _do(self, step: Step[Thing], items: Sequence[Thing]) -> list[Record]:
        """Do a step if it is wanted; the records that there are of these items."""
        if step.name not in self.settings.steps:
            return Manifest(self.folders.manifests / f"{step.name}.jsonl").of(item.name for item in items)
        if not items and step.name == "download":
            return []
        report, records = run_step(
            step,
            items,
            lambda: self.engine,
            self.folders.manifests,
            retry_failed=self.settings.retry_failed,
        )
        self.report.steps.append(report)
        return records

    def _done(self, clips: Sequence[Clip], records: Sequence[Record]) -> list[Clip]:
        """The clips for which a step is done; all where it was never begun."""
        names = {record.item for record in records if record.outcome == "done"}
        return [clip for clip in clips if clip.name in names] if records else list(clips)

    def _store(self, clips: Sequence[Clip]) -> list[Clip]:
        """The step ``lmdb``; gives the clips that are in it."""
        report, kept, _ = store_clips(
            self._encode(), clips, lambda: self.engine, self.folders.manifests, retry_failed=self.settings.retry_failed
        )
        self.report.steps.append(report)
        return kept

    def _has(self, name: StepName) -> bool:
        """Whether a step is done now or was done before."""
        return name in self.settings.steps or (self.folders.manifests / f"{name}.jsonl").is_file()

    def _download(self) -> Download:
        return Download(
            self.folders.root, self.settings.downloader, self.settings.download_timeout_s, offline=self.offline
        )

    def _crop(self) -> CropVideo:
        wish = self.settings
        return CropVideo(
            self.folders.root,
            self.folders.clips,
            self.tools,
            CropRules(wish.min_frames, wish.min_size, wish.increase, wish.iou, (wish.image_size, wish.image_size)),
            max_frames=wish.max_frames,
            fps=wish.fps,
            format=wish.format,
            dataset_version=wish.dataset_version,
        )

    def _landmarks(self) -> ExtractLandmarks:
        return ExtractLandmarks(
            self.folders.root,
            self.folders.landmarks,
            self.tools,
            self.settings.min_found,
            keep_mesh=self.tools.space == "mesh",
        )

    def _coefficients(self) -> ExtractCoefficients:
        return ExtractCoefficients(
            self.folders.root,
            self.folders.landmarks,
            self.folders.coefficients,
            self.tools,
            format=self.settings.coefficients_format,
        )

    def _encode(self) -> EncodeClip:
        wish = self.settings
        return EncodeClip(
            self.folders.root,
            self.folders.landmarks if self._has("landmarks") else None,
            self.folders.coefficients if self._has("coefficients") else None,
            wish.resolutions,
            coefficients_format=wish.coefficients_format,
            quality=wish.jpeg_quality,
        )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others from working in a folder, and clear what a killed run has left half-done there.

    Raises:
        DataError: if another run is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        cure = "Wait for it, or choose another folder with --prepare.out."
        raise DataError("another preparation is at work here", where=folder, cure=cure) from error
    try:
        remove_parts(folder)
        yield
    finally:
        lock.release()
