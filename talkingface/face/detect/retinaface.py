"""SadTalker's own face finder: RetinaFace finds faces, a network of 98 points gives the 68 landmarks.

Scores, overlaps and the way from the box to the landmarks are those of the published program, but for four things.
Colours come in the order that each network was trained with; the program hands both of them red as blue. Boxes that
leave the picture are cut at its border, where the program takes a wrong part or stops. Faces that are reduced for the
landmarks are averaged. And no picture is searched at more than `LARGEST_SIDE`, with another look at `SMALL_SIDE` where
that found nothing; the program searches any picture at its own size, and misses faces larger than its anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...media.image import Picture, check_picture, resize
from ...weights import load_catalogue
from ...weights.load import load_networks, load_strict
from ..face import Box, Face, Points, largest_first
from .analyser import FaceAnalyser, missing_files, track_by_landmarks
from .networks.retinaface import MEAN_BGR, RetinaFace, anchors, best_boxes, decode_boxes
from .networks.wflw import LANDMARKS, MAP_SIDE, SIDE, LandmarkNet98, heatmap_points, reduce_to_68
from .report import Candidate, DetectionReport

WHERE = "--landmarks=retinaface"
DETECTOR, ALIGNMENT = "retinaface_resnet50", "wflw_98"
SURE = 0.97  # score from which a detection counts
REPORTED_SCORE, MAX_REPORTED = 0.1, 20  # lowest score of a candidate in a report, and their largest number
LARGEST_SIDE, SMALL_SIDE = 1600, 640  # pixels: longer side of what is searched, and of a second try
BATCH = 8  # pictures or faces in one batch of a network


@dataclass(frozen=True)
class ScoredBox:
    """A box of the detector, with its score from 0 to 1."""

    box: Box
    score: float


class RetinaFaceAnalyser(FaceAnalyser):
    """Finds faces as SadTalker does. A second or more for a picture on a CPU."""

    name = "retinaface"

    def __init__(self, detector: RetinaFace, landmarks: LandmarkNet98, device: torch.device | str = "cpu") -> None:
        """Args: detector, landmarks: with their weights; they are moved to the device."""
        self._device, self._sure = torch.device(device), SURE
        self._detector = detector.to(self._device).eval().requires_grad_(False)
        self._landmarks = landmarks.to(self._device).eval().requires_grad_(False)

    @classmethod
    def open(cls, root: Path, *, device: torch.device | str = "cpu") -> RetinaFaceAnalyser:
        """Load the networks from the checkpoint folder.

        Raises:
            WeightsError: if a file is not there, damaged, or another one.
        """
        entries = [load_catalogue()[name] for name in (DETECTOR, ALIGNMENT)]
        missing = [entry for entry in entries if not entry.path(root).is_file()]
        if missing:
            raise missing_files(WHERE, missing, root)
        networks = RetinaFace(), LandmarkNet98()
        for entry, network in zip(entries, networks, strict=True):
            path = entry.path(root)
            (name,) = entry.networks
            load_strict(network, load_networks(path, model=entry.model).states[name], where=path)
        return cls(*networks, device)

    def set_threshold(self, threshold: float) -> None:
        self._sure = threshold

    def faces(self, picture: Picture) -> list[Face]:
        return self.faces_of([picture])[0]

    def faces_of(self, pictures: Sequence[Picture]) -> list[list[Face]]:
        """All faces of each picture, (H, W, 3) RGB uint8; pictures of one size, and all faces, pass in batches."""
        detected = self._searched(pictures, LARGEST_SIDE)
        again = [n for n, picture in enumerate(pictures) if not detected[n] and max(picture.shape[:2]) > SMALL_SIDE]
        for number, boxes in zip(again, self._searched([pictures[n] for n in again], SMALL_SIDE), strict=True):
            detected[number] = boxes
        places = [(picture, item.box) for picture, boxes in zip(pictures, detected, strict=True) for item in boxes]
        points = iter(self._landmarks_in(places))
        return [
            largest_first([Face(item.box, item.score, next(points), None, self.name) for item in boxes])
            for boxes in detected
        ]

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        """Follow faces as the interface demands; a face of another backend is searched for in its box."""
        check_picture(picture)
        inside = [face.box.overlap(Box.of_picture(picture)) >= 1 for face in previous]
        points = iter(
            self._landmarks_in([(picture, face.box) for face, there in zip(previous, inside, strict=True) if there])
        )
        return [
            track_by_landmarks(face, next(points), self.name) if there else None
            for face, there in zip(previous, inside, strict=True)
        ]

    def report(self, picture: Picture) -> DetectionReport:
        candidates = [
            Candidate(item.box, item.score, "" if item.score > self._sure else f"the detector wants {self._sure}")
            for item in self._searched([picture], LARGEST_SIDE, REPORTED_SCORE)[0][:MAX_REPORTED]
        ]
        return DetectionReport(self.name, (Box.of_picture(picture),), tuple(candidates))

    def _searched(
        self, pictures: Sequence[Picture], side: int, threshold: float | None = None
    ) -> list[list[ScoredBox]]:
        """Boxes in each picture, the best first; larger pictures are reduced to that longer side."""
        small = [_reduced(picture, side) for picture in pictures]
        detected: list[list[ScoredBox]] = []
        while len(detected) < len(small):
            rest = small[len(detected) : len(detected) + BATCH]
            alike = list(takewhile(lambda item, shape=rest[0].shape: item.shape == shape, rest))  # type: ignore[misc]
            detected += self._detected(np.stack(alike), self._sure if threshold is None else threshold)
        return [
            [ScoredBox(_enlarged(item.box, reduced, picture), item.score) for item in boxes]
            for boxes, reduced, picture in zip(detected, small, pictures, strict=True)
        ]

    @torch.inference_mode()
    def _detected(self, pictures: NDArray[np.uint8], threshold: float) -> list[list[ScoredBox]]:
        """Boxes in pictures (n, H, W, 3)."""
        height, width = pictures.shape[1:3]
        blue_first = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).to(self._device).permute(0, 3, 1, 2)
        mean = torch.tensor(MEAN_BGR, device=self._device)[:, None, None]
        offsets, shares, _ = self._detector(blue_first.float() - mean)
        priors = anchors(height, width).to(self._device)
        return [
            _best_of(decode_boxes(deltas, priors, height, width)[sure], scores[sure])
            for deltas, scores in zip(offsets, shares[..., 1], strict=True)
            for sure in [scores > threshold]
        ]

    @torch.inference_mode()
    def _landmarks_in(self, places: Sequence[tuple[Picture, Box]]) -> list[Points]:
        """The landmarks, (68, 2), of the face in each box."""
        landmarks: list[Points] = []
        for start in range(0, len(places), BATCH):
            parts = [_whole_pixels(box, picture) for picture, box in places[start : start + BATCH]]
            cut = [
                _resized(picture[top:bottom, left:right])
                for (picture, _), (left, top, right, bottom) in zip(places[start:], parts, strict=False)
            ]
            heatmaps = self._landmarks(torch.cat(cut).to(self._device))[-1][:, :LANDMARKS]
            cells = heatmap_points(heatmaps.float()).cpu().numpy() / MAP_SIDE
            for unit, (left, top, right, bottom) in zip(cells, parts, strict=True):
                # Cells are counted from the corner, points from the middle of the first pixel.
                landmarks.append(reduce_to_68(unit * (right - left, bottom - top) + (left - 0.5, top - 0.5)))
        return landmarks


def _best_of(boxes: Tensor, scores: Tensor) -> list[ScoredBox]:
    """The best boxes among (n, 4), counted from the picture's corner; one for each face."""
    edges, sure = boxes.cpu().numpy().astype(np.float64), scores.cpu().numpy()
    return [ScoredBox(Box(*(edges[n] - 0.5).tolist()), float(sure[n])) for n in best_boxes(edges, sure)]


def _reduced(picture: Picture, side: int) -> Picture:
    """The picture with its longer side at most so long."""
    check_picture(picture)
    height, width = picture.shape[:2]
    factor = min(1.0, side / max(height, width))
    return resize(picture, (max(1, round(height * factor)), max(1, round(width * factor))))


def _enlarged(box: Box, reduced: Picture, picture: Picture) -> Box:
    """A box of a reduced picture in the picture itself."""
    y, x = picture.shape[0] / reduced.shape[0], picture.shape[1] / reduced.shape[1]
    left, top, right, bottom = (edge + 0.5 for edge in (box.left, box.top, box.right, box.bottom))
    return Box(left * x - 0.5, top * y - 0.5, right * x - 0.5, bottom * y - 0.5)


def _whole_pixels(box: Box, picture: Picture) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (the last two excluded) of a box in whole pixels of the picture, at least one."""
    height, width = picture.shape[:2]
    left, top = (min(max(int(edge + 0.5), 0), most - 1) for edge, most in ((box.left, width), (box.top, height)))
    right, bottom = min(int(box.right + 0.5), width), min(int(box.bottom + 0.5), height)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _resized(part: Picture) -> Tensor:
    """A part of a picture as the landmark network sees it, (1, 3, 256, 256)."""
    pixels = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
