"""All preparation steps on one data set: list, download, crop, landmarks, coefficients, LMDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import DataError, writing
from ...face.track.segments import CropRules
from ..store import identity_of
from .engine import Engine, open_engine
from .files import Manifest, Record, remove_parts, try_file
from .items import ClipFile, Video
from .run_step import PreparationReport, clips_of, run_step
from .settings import PrepareSettings, StepName
from .step import ItemType, Step
from .steps.crop import CropVideo
from .steps.download import Download
from .steps.faces import ExtractCoefficients, ExtractLandmarks
from .steps.lists import check_splits, videos
from .steps.lmdb import EncodeClip, store_clips
from .tools import PrepareTools

_LOCK = ".prepare.lock"


@dataclass(frozen=True)
class Folders:
    """Folders of a data set in preparation.

    Attributes:
        root: folder of the data set; holds the LMDB.
        clips, landmarks, coefficients: outputs of the steps, each with subfolders ``train`` and ``test``.
        manifests: manifests of all steps.
    """

    root: Path
    clips: Path
    landmarks: Path
    coefficients: Path
    manifests: Path

    @classmethod
    def under(cls, root: Path) -> Folders:
        """The default folders: all but the LMDB in ``prepare/``, which no store reads."""
        root = root.absolute()
        home = root / "prepare"
        return cls(root, home / "clips", home / "landmarks", home / "coefficients", home / "manifests")

    @classmethod
    def flat(cls, out: Path) -> Folders:
        """All results of one step in a single folder, as the published scripts leave them."""
        out = out.absolute()
        return cls(out, out, out, out, out / ".prepare" / "manifests")


def prepare(
    settings: PrepareSettings, folders: Folders, tools: PrepareTools, *, offline: bool = False
) -> PreparationReport:
    """Prepare a data set, or continue its preparation; valid results of earlier runs are kept.

    Args:
        settings: raw videos, steps and their options.
        folders: folders of the data set.
        tools: landmark backend and reconstructor.
        offline: download nothing.

    Returns:
        Report of the run; also written to ``report.json`` beside the manifests.

    Raises:
        ConfigError, DataError: if settings or list are invalid, or another run works in the same folder.
        DependencyError, WeightsError: if a package or weights that a step needs are missing; nothing has started then.
    """
    raw_videos = videos(settings)
    wanted = set(settings.steps)
    tools = tools.resolved(
        landmarks=bool({"crop", "landmarks"} & wanted),
        space=bool({"landmarks", "coefficients"} & wanted),  # decides whether the face mesh is kept
    )
    with ExitStack() as stack:
        stack.enter_context(exclusive(folders.root))
        if settings.raw is not None and any(video.url for video in raw_videos):
            stack.enter_context(exclusive(settings.raw))
        report = _Chain(settings, folders, tools, offline, stack).run(raw_videos)
    report.save(folders.manifests.parent / "report.json")
    return report


class _Chain:
    """One run: the steps, the engine they share, and the report."""

    def __init__(
        self, settings: PrepareSettings, folders: Folders, tools: PrepareTools, offline: bool, stack: ExitStack
    ) -> None:
        self.settings, self.folders, self.tools, self.offline = settings, folders, tools, offline
        self.report = PreparationReport(folders.root)
        self._stack = stack

    @cached_property
    def engine(self) -> Engine:
        """Engine that runs the steps; started by the first step with work to do."""
        return self._stack.enter_context(open_engine(self.settings))

    def run(self, raw_videos: Sequence[Video]) -> PreparationReport:
        missing = self._fetch(raw_videos)
        cropped = self._do(self._crop(), [video for video in raw_videos if video.path not in missing])
        clips = clips_of(cropped, self._crop())
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

    def _fetch(self, raw_videos: Sequence[Video]) -> set[Path]:
        """Download videos that are still needed; returns the paths of those that cannot be downloaded.

        A raw video whose clips exist may have been deleted to make room, and is not downloaded again.
        """
        crop = self._crop()
        known, digest = Manifest(self.folders.manifests / f"{crop.name}.jsonl").records, crop.digest()
        wanted = {
            video.path: video  # a video of two people is downloaded once
            for video in raw_videos
            if video.url and not (video.name in known and known[video.name].holds(self.folders.root, digest))
        }
        records = {record.item: record for record in self._do(self._download(), list(wanted.values()))}
        outcomes = {path: records.get(video.name) for path, video in wanted.items()}
        return {path for path, record in outcomes.items() if record is not None and record.outcome == "failed"}

    def _do(self, step: Step[ItemType], items: Sequence[ItemType]) -> list[Record]:
        """Run a step if the settings name it; returns the existing records of the items."""
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

    def _done(self, clips: Sequence[ClipFile], records: Sequence[Record]) -> list[ClipFile]:
        """Clips for which a step is done; all clips if it never ran."""
        names = {record.item for record in records if record.outcome == "done"}
        return [clip for clip in clips if clip.name in names] if records else list(clips)

    def _store(self, clips: Sequence[ClipFile]) -> list[ClipFile]:
        """Run the step ``lmdb``; returns the clips in the LMDB."""
        report, kept, _ = store_clips(
            self._encode(), clips, lambda: self.engine, self.folders.manifests, retry_failed=self.settings.retry_failed
        )
        self.report.steps.append(report)
        return kept

    def _has(self, name: StepName) -> bool:
        """True if a step runs now or ran before."""
        return name in self.settings.steps or (self.folders.manifests / f"{name}.jsonl").is_file()

    def _download(self) -> Download:
        return Download(
            self.folders.root, self.settings.downloader, self.settings.download_timeout_s, offline=self.offline
        )

    def _crop(self) -> CropVideo:
        settings = self.settings
        size = (settings.image_size, settings.image_size)
        return CropVideo(
            self.folders.root,
            self.folders.clips,
            self.tools,
            CropRules(settings.min_frames, settings.min_size, settings.increase, settings.iou, size),
            max_frames=settings.max_frames,
            fps=settings.fps,
            format=settings.format,
            dataset_version=settings.dataset_version,
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
        return EncodeClip(
            self.folders.root,
            self.folders.landmarks if self._has("landmarks") else None,
            self.folders.coefficients if self._has("coefficients") else None,
            self.settings.resolutions,
            coefficients_format=self.settings.coefficients_format,
            quality=self.settings.jpeg_quality,
        )


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder against other runs, and remove unfinished files of killed ones.

    Raises:
        DataError: if another run holds the lock.
    """
    lock = FileLock(folder / _LOCK)
    try:
        with writing(folder, DataError):
            folder.mkdir(parents=True, exist_ok=True)
            try_file(folder)
            lock.acquire(timeout=0)
    except Timeout as error:
        cure = "Wait for it, or choose another folder with --prepare.out."
        raise DataError("another preparation is at work here", where=folder, cure=cure) from error
    try:
        remove_parts(folder)
        yield
    finally:
        lock.release()
