"""Rows of numbers that describe a face in one frame, read by name instead of by column.

All spaces share the layouts of Deep3DFaceRecon, StyleHEAT and SadTalker:

======  =========================================================================================
257     id 80, exp 64, tex 80, angle 3, gamma 27, trans 3: output of the reconstruction network
260     the same and crop 3: a row of StyleHEAT's training data
73      exp 64, angle 3, trans 3, crop 3: input of StyleHEAT's warper for a frame
70      exp 64, angle 3, trans 3: output of SadTalker's audio networks, input of its renderer
======  =========================================================================================

id, exp, tex are weights of shape, expression and texture directions; angle is pitch, yaw, roll (radians); gamma is nine
spherical harmonics for each of R, G, B; trans is a shift of the head in the units of its space; crop is scale, t_x, t_y
of the five-point alignment in a 256 frame, t_y counted upwards from the lowest row.

The space of a motion defines the directions: ``"bfm"``, the Basel Face Model (Paysan et al. 2009) with the
expressions of Deep3DFaceRecon, or ``"mesh"``, this project's own (see ``talkingface.face3d.mesh_space``), which has no
texture. Nothing here needs torch, a face model or any file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

Values = TypeVar("Values", "NDArray[Any]", "Tensor")
PartT = TypeVar("PartT")

COEFFICIENTS = "coefficients"
"""Name of the rows among the values of a motion."""


class _Parts(Generic[PartT]):
    """Parts of a row by name: columns of a layout, or views of rows."""

    def __getitem__(self, name: str) -> PartT:
        raise NotImplementedError

    @property
    def id(self) -> PartT:
        """Shape of the person, 80."""
        return self["id"]

    @property
    def exp(self) -> PartT:
        """Expression, 64."""
        return self["exp"]

    @property
    def tex(self) -> PartT:
        """Skin colour and its variation, 80."""
        return self["tex"]

    @property
    def angle(self) -> PartT:
        """Pitch, yaw, roll in radians, 3."""
        return self["angle"]

    @property
    def gamma(self) -> PartT:
        """Lighting, 27: nine numbers for red, nine for green, nine for blue."""
        return self["gamma"]

    @property
    def trans(self) -> PartT:
        """Shift of the head, 3."""
        return self["trans"]

    @property
    def pose(self) -> PartT:
        """Angle and trans, 6; of rows of 70 and 73, in which they are neighbours."""
        return self["pose"]

    @property
    def crop(self) -> PartT:
        """Scale, t_x, t_y of the five-point alignment, 3."""
        return self["crop"]


@dataclass(frozen=True)
class CoefficientLayout(_Parts[slice]):
    """Columns of a row: ``LAYOUT_73.exp`` is ``slice(0, 64)``.

    Attributes:
        width: columns of a row.
        parts: name -> columns, in order and without gaps.
    """

    width: int
    parts: Mapping[str, slice]

    @classmethod
    def of(cls, **widths: int) -> CoefficientLayout:
        """Layout of parts of these widths, one after another."""
        parts, start = {}, 0
        for name, width in widths.items():
            parts[name] = slice(start, start + width)
            start += width
        return cls(start, parts)

    @property
    def kind(self) -> str:
        """Kind of the motions that hold such rows, such as ``"3dmm.73"``."""
        return f"3dmm.{self.width}"

    def __getitem__(self, name: str) -> slice:
        """Columns of a part.

        Raises:
            ShapeError: if the layout has no such part.
        """
        if name == "pose" and self.angle.stop == self.trans.start:
            return slice(self.angle.start, self.trans.stop)
        if name not in self.parts:
            raise ShapeError(f"rows of {self.width} numbers have no part {name!r}: {_described(self)}")
        return self.parts[name]


LAYOUT_257 = CoefficientLayout.of(id=80, exp=64, tex=80, angle=3, gamma=27, trans=3)
LAYOUT_260 = CoefficientLayout.of(id=80, exp=64, tex=80, angle=3, gamma=27, trans=3, crop=3)
LAYOUT_73 = CoefficientLayout.of(exp=64, angle=3, trans=3, crop=3)
LAYOUT_70 = CoefficientLayout.of(exp=64, angle=3, trans=3)
LAYOUTS: Mapping[int, CoefficientLayout] = {
    layout.width: layout for layout in (LAYOUT_257, LAYOUT_260, LAYOUT_73, LAYOUT_70)
}

_OTHER_WIDTHS = {
    349: "rows of 349 numbers are DECA's, of another face model",
    50: "rows of 50 numbers are expressions of FLAME, another face model",
    64: "rows of 64 numbers are expressions alone, without pose",
    6: "rows of 6 numbers are a head pose alone",
    27: "27 columns are the frames of a window: the axes are the wrong way round",
}


def layout_of(values: NDArray[Any] | Tensor, *, where: object = None, allowed: Sequence[int] = ()) -> CoefficientLayout:
    """Layout of rows, by their width.

    Args:
        values: (..., width).
        where: file or frame, for the message.
        allowed: widths that will do; empty allows all that are known.

    Raises:
        ShapeError: if there is no such layout, or it is not allowed; the message names what was given.
    """
    width = int(values.shape[-1]) if len(values.shape) else 0
    wanted = tuple(allowed) or tuple(LAYOUTS)
    if width in wanted and width in LAYOUTS:
        return LAYOUTS[width]
    given = _OTHER_WIDTHS.get(width) or (
        f"rows of {width} numbers are {_described(LAYOUTS[width])}"
        if width in LAYOUTS
        else f"found an array {tuple(values.shape)}, whose rows of {width} numbers are of no known layout"
    )
    raise ShapeError(given, where=where, cure=f"Wanted {_list(wanted)}.")


class Coefficients(_Parts[Values], Generic[Values]):
    """Rows with their parts by name: ``Coefficients(rows).angle`` is a view, so writing to it writes to the rows.

    Args:
        values: (..., 257), (..., 260), (..., 73) or (..., 70), an array or a tensor; it is not copied.
        where: file or frame, for the message.

    Raises:
        ShapeError: if the width is of no known layout.
    """

    def __init__(self, values: Values, *, where: object = None) -> None:
        self.values: Values = values
        self.layout = layout_of(values, where=where)

    def __getitem__(self, name: str) -> Values:
        """View of a part, (..., its width).

        Raises:
            ShapeError: if the layout has no such part.
        """
        return self.values[..., self.layout[name]]

    def parts(self) -> dict[str, Values]:
        """Views by name, in the order of the layout."""
        return {name: self[name] for name in self.layout.parts}


def row73(rows: Values, crop: Values | None = None, *, where: object = None) -> Values:
    """Rows that StyleHEAT's warper takes: exp, angle, trans, crop.

    Args:
        rows: (..., 260), (..., 73), or (..., 257) or (..., 70) together with ``crop``.
        crop: (..., 3), in place of the rows' own.

    Returns:
        (..., 73), a new array or tensor.

    Raises:
        ShapeError: if the width is of no known layout, or crop parameters are nowhere to be had.
    """
    named = Coefficients(rows, where=where)
    if crop is None:
        if "crop" not in named.layout.parts:
            raise ShapeError(
                f"rows of {named.layout.width} numbers have no crop parameters",
                where=where,
                cure="Give those of the source picture beside them.",
            )
        crop = named.crop
    return _join([named.exp, named.angle, named.trans, crop])


def row70(rows: Values, *, where: object = None) -> Values:
    """Rows that SadTalker's renderer takes: exp, angle, trans.

    Args:
        rows: (..., 257), (..., 260), (..., 73) or (..., 70).

    Returns:
        (..., 70), a new array or tensor.

    Raises:
        ShapeError: if the width is of no known layout.
    """
    named = Coefficients(rows, where=where)
    return _join([named.exp, named.angle, named.trans])


def _join(parts: list[Any]) -> Any:
    """Parts side by side; one that has fewer rows (a crop for all frames) is repeated."""
    if isinstance(parts[0], np.ndarray):
        shape = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return np.concatenate([np.broadcast_to(part, (*shape, part.shape[-1])) for part in parts], axis=-1)
    import torch

    shape = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return torch.cat([part.expand(*shape, part.shape[-1]) for part in parts], dim=-1)


def _described(layout: CoefficientLayout) -> str:
    return ", ".join(f"{name} {part.stop - part.start}" for name, part in layout.parts.items())


def _list(widths: Sequence[int]) -> str:
    return " or ".join(f"{width} ({_described(LAYOUTS[width])})" for width in widths)
