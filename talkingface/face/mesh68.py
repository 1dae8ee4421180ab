"""The usual 68 landmarks as a choice among the points of the face mesh, and the mesh's parts that others need by name.

Both point sets are numbered as seen in the picture: the jaw from the left ear over the chin to the right, then brows,
nose, eyes, mouth. The mesh's jaw runs along the rim of the visible face, that of networks trained on the 68 points
along the bone; so the two agree in eyes, nose and mouth, and less in jaw and brows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .face import Points

MESH_POINTS = 468
EYE_CORNERS = (33, 263)  # outer ones, the left in the picture first

_JAW = (162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389)
_BROWS = (71, 63, 105, 66, 107, 336, 296, 334, 293, 301)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_MOUTH = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
MESH_68 = np.array((*_JAW, *_BROWS, *_NOSE, *_EYES, *_MOUTH))


def landmarks_of(mesh: NDArray[np.floating]) -> Points:
    """The 68 landmarks of a mesh.

    Args:
        mesh: (..., 468, 2 or 3).

    Returns:
        (..., 68, 2) float32.
    """
    return np.ascontiguousarray(mesh[..., MESH_68, :2], dtype=np.float32)
