"""The portrait: scikit-image's astronaut (NASA, public domain), with face curves placed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from skimage import data

from .face import CANVAS, Array, Face, Opening, grid, mirrored, reshaped, smoothstep

# Square of the 512 x 512 photo that becomes the canvas: left, top, side. It begins above the photo, where the
# backdrop is continued as a mirror image, so that the head has room to move.
_CROP = (114, -12, 224)
_LEFT_EYE = Opening(
    np.array([(192, 101), (194, 100.3), (198, 98.4), (202, 97.7), (206, 98.2), (210, 100), (214, 103)]),
    np.array([(192, 101), (196, 102.8), (200, 104.2), (204, 104.6), (208, 104), (214, 103)]),
)
_RIGHT_EYE = Opening(
    np.array([(235.5, 104.4), (240, 101.4), (244, 99.4), (247, 98.9), (250, 99.4), (254, 101), (259.5, 104)]),
    np.array([(235.5, 104.4), (240, 105.6), (244, 106.5), (248, 106.7), (252, 106.1), (256, 105), (259.5, 104)]),
)
_MOUTH = Opening(
    np.array(
        [(203, 139.5), (206, 140.8), (210, 142), (218, 143.4), (222, 143.9), (230, 143.1), (238, 141), (245, 140.6)]
    ),
    np.array(
        [(203, 139.5), (206, 143), (210, 146.3), (214, 148.2), (222, 149.6), (230, 148.8), (238, 145), (245, 140.6)]
    ),
)
_LIP_UPPER = np.array([(202, 138.8), (210, 139), (218, 139.6), (224, 140.3), (232, 139.8), (240, 139.3), (246, 139.8)])
_LIP_LOWER = np.array(
    [(202, 140), (206, 145), (210, 149.5), (214, 153), (224, 155.2), (230, 154), (236, 150), (246, 141)]
)
_CHIN = np.array(
    [(184, 150), (195, 165), (202, 171.5), (210, 176.3), (222, 178.5), (234, 177.3), (250, 168), (262, 152)]
)
# Lower edge of the hair around the face, a little inside the face; fair wisps are found by their brightness.
_HAIR_EDGE = np.array([(179, 121), (184, 95), (188, 81), (205, 85), (238, 88), (261, 94), (267, 103), (270, 127)])
# Outline of hair, face, neck and collar against the backdrop, clockwise from the crown.
_OUTLINE = np.array(
    [
        *[(232, 15), (245, 16), (258, 20), (275, 29), (286, 39), (293, 52), (298, 68), (301, 85), (298, 100)],
        *[(292, 113), (280, 127), (274, 134), (267, 137), (266, 143), (262, 152), (256, 165), (254, 172)],
        *[(270, 183), (285, 195), (302, 220), (100, 220), (113, 198), (118, 182), (135, 160), (150, 151), (165, 148)],
        *[(184, 149), (182, 132), (175, 130), (169, 120), (160, 113), (153, 100), (152, 85), (153, 65), (158, 55)],
        *[(168, 45), (180, 37), (190, 29), (202, 22), (215, 17)],
    ]
)


def portrait() -> Face:
    """The astronaut's head and shoulders on the canvas."""
    left, top, side = _CROP
    photo = Image.fromarray(np.pad(data.astronaut(), ((-top, 0), (0, 0), (0, 0)), mode="reflect"))
    image = photo.resize((CANVAS, CANVAS), Image.Resampling.LANCZOS, box=(left, 0, left + side, side))
    return Face(
        image=np.asarray(image, np.float32) / 255,
        width=86 * CANVAS / side,
        eyes=(_LEFT_EYE.moved(_to_canvas), _RIGHT_EYE.moved(_to_canvas)),
        mouth=_MOUTH.moved(_to_canvas),
        lip_upper=_to_canvas(_LIP_UPPER),
        lip_lower=_to_canvas(_LIP_LOWER),
        chin=_to_canvas(_CHIN),
        nose_tip=_to_canvas(np.array([223.0, 124.0])),
        nose_base=float(_to_canvas(np.array([223.0, 134.0]))[1]),
        brow=float(_to_canvas(np.array([223.0, 90.0]))[1]),
        head_center=_to_canvas(np.array([226.0, 98.0])),
        head_radii=np.array([76.0, 83.0]) * CANVAS / side,
    )


def source_picture(size: int) -> Image.Image:
    """The still portrait for the demo, cropped straight from the photo as a face data set would: (size, size)."""
    box = (132, 6, 320, 194)
    return Image.fromarray(data.astronaut()).resize((size, size), Image.Resampling.LANCZOS, box=box)


def relative() -> Face:
    """A made-up relative of the portrait: mirrored, other proportions, dark hair, tanned skin, blue studio."""
    face = portrait()
    recoloured = replace(face, image=_recolour(face))
    wider = np.array([(0, 0.95), (200, 0.97), (300, 1.03), (380, 1.09), (440, 1.06), (511, 1.0)])
    taller = np.array([(0, 0), (170, 163), (258, 252), (333, 338), (366, 372), (435, 443), (511, 511)])
    return mirrored(reshaped(recoloured, wider, taller))


def _to_canvas(points: Array) -> Array:
    left, top, side = _CROP
    return (np.asarray(points, np.float64) - (left, top) + 0.5) * (CANVAS / side) - 0.5


def _recolour(face: Face) -> Array:
    image = face.image.astype(np.float64)
    figure = _figure_mask(image)
    hair = _hair_mask(image, figure)
    skin = gaussian_filter(_warmth(image) * (1 - hair) * (image.mean(axis=-1) > 0.2), 2.0)[..., None]
    hair = hair[..., None]
    tanned = image ** np.array([1.08, 1.22, 1.3]) * np.array([0.93, 0.9, 0.88])
    light = image.mean(axis=-1, keepdims=True)
    dark = light**1.35 * np.array([0.5, 0.41, 0.36])
    studio = image * np.array([0.62, 0.78, 0.9])
    result = image + (1 - figure[..., None]) * (studio - image)
    result = result * (1 - skin) + tanned * skin
    return np.clip(result * (1 - hair) + dark * hair, 0, 1).astype(np.float32)


def _warmth(image: Array) -> Array:
    """1 where red exceeds blue as in skin and fair hair, 0 in the grey backdrop."""
    return smoothstep(0.05, 0.14, image[..., 0] - image[..., 2])


def _figure_mask(image: Array) -> Array:
    """1 on head and shoulders, 0 on the backdrop: the outline, sharpened by colour along its edge."""
    drawing = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(drawing).polygon([(float(x), float(y)) for x, y in _to_canvas(_OUTLINE)], fill=255)
    near = gaussian_filter(np.asarray(drawing, np.float64) / 255, 3.0)
    coloured = np.maximum(_warmth(image), smoothstep(0.62, 0.48, image.mean(axis=-1)))
    return gaussian_filter(np.maximum(coloured * smoothstep(0.02, 0.3, near), smoothstep(0.6, 0.9, near)), 0.8)


def _hair_mask(image: Array, figure: Array) -> Array:
    x, y = grid()
    edge = _to_canvas(_HAIR_EDGE)
    low = CANVAS * 0.64
    inside = np.interp(x, edge[:, 0], edge[:, 1], left=low, right=low) - y
    bright = smoothstep(0.5, 0.68, gaussian_filter(image.mean(axis=-1), 0.7))
    wisps = smoothstep(0, 4, inside) * (1 - bright * smoothstep(24, 12, inside))
    return gaussian_filter(figure * wisps, 1.0)
