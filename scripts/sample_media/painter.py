"""Paints a head facing the viewer: a relief of simple solids lit from the upper left, eyes, brows, lips and hair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from .face import CANVAS, Array, Face, Opening, curve, grid, smoothstep

# Where the parts of a painted face are on the canvas, and half its width at some heights, as (y, half width).
MIDDLE = 256.0
EYE_Y, NOSE_Y, MOUTH_Y, CHIN_Y = 262.0, 322.0, 362.0, 434.0
JAW = np.array(
    [
        *[(100, 20), (130, 62), (170, 86), (215, 96), (265, 99), (310, 95)],
        *[(345, 88), (380, 75), (405, 60), (421, 44), (432, 26), (438, 10)],
    ]
)
_LIGHT = np.array([-0.42, -0.5, 0.76])  # towards the lamp: left, up, towards the viewer


@dataclass(frozen=True)
class Look:
    """Colours (RGB, [0, 1]) and proportions of a painted head.

    Attributes:
        skin, lips, hair, iris, shirt, backdrop: colours.
        jaw: width factor of the lower face.
        hair_end: height in canvas pixels where the hair ends beside the face.
        parting: x of the hair's parting.
        brow_width: thickness of the brows in pixels.
        seed: of skin, hair and backdrop.
    """

    skin: tuple[float, float, float]
    lips: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    shirt: tuple[float, float, float]
    backdrop: tuple[float, float, float]
    jaw: float
    hair_end: float
    parting: float
    brow_width: float
    seed: int


class Painter:
    """Paints from back to front."""

    def __init__(self, face: Face, look: Look) -> None:
        self._face, self._look = face, look
        self._x, self._y = grid()
        self._random = np.random.default_rng(look.seed)
        self._half = curve(JAW)(self._y) * (1 + (look.jaw - 1) * smoothstep(280, 360, self._y))
        reach = np.abs(self._x - MIDDLE) - self._half
        below = self._y - CHIN_Y - 2 + 0.006 * (self._x - MIDDLE) ** 2
        self._inside = smoothstep(1.2, -1.2, reach) * smoothstep(1.5, -1.5, below) * (self._y > 120)

    def paint(self) -> Array:
        """(512, 512, 3), [0, 1]."""
        image = self._backdrop()
        image = self._hair_behind(image)
        image = self._body(image)
        image = _over(image, self._skin(), self._inside)
        for eye in self._face.eyes:
            image = self._brow(self._paint_eye(image, eye), eye)
        image = self._fringe(self._lips(image))
        return np.clip(image + 0.006 * self._random.standard_normal((CANVAS, CANVAS, 1)), 0, 1)

    def _backdrop(self) -> Array:
        clouds = self._noise(40, 40)
        light = 1.05 - 0.25 * np.hypot(self._x - 180, self._y - 160) / CANVAS
        return np.array(self._look.backdrop) * (light + 0.05 * clouds)[..., None]

    def _body(self, image: Array) -> Array:
        """Neck with the chin's shadow, ears, and the shoulders in a shirt."""
        x, y = self._x - MIDDLE, self._y
        skin = np.array(self._look.skin)
        neck = smoothstep(2, -2, np.abs(x) - 66 - 0.01 * np.clip(y - 440, 0, None) ** 2) * smoothstep(330, 340, y)
        shadow = 0.55 + 0.35 * smoothstep(410, 500, y - 0.05 * np.abs(x)) - 0.12 * smoothstep(-30, 70, x)
        image = _over(image, skin * shadow[..., None] * (1, 0.95, 0.92), neck)
        for side in (-1, 1):
            away = np.hypot((x - side * 101 * (1 + 0.2 * (self._look.jaw - 1))) / 13, (y - 288) / 30)
            image = _over(
                image,
                skin * (0.78 - 0.12 * side + 0.15 * away[..., None]) * (1, 0.9, 0.86),
                smoothstep(1.05, 0.9, away),
            )
        shoulder = y - 448 - 0.0011 * x**2 - 18 * smoothstep(80, 40, np.abs(x))
        folds = 0.9 + 0.07 * self._noise(8, 50) - 0.0006 * x
        return _over(image, np.array(self._look.shirt) * folds[..., None], smoothstep(-1.5, 1.5, shoulder))

    def _skin(self) -> Array:
        """Relief, light and colour of the face itself."""
        relief = gaussian_filter(self._relief(), 1.5)
        slope_y, slope_x = np.gradient(relief)
        normal = np.stack([-slope_x, -slope_y, np.ones_like(relief)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        light = _LIGHT / np.linalg.norm(_LIGHT)
        lit = np.clip((normal @ light + 0.35) / 1.35, 0, 1)
        halfway = light + np.array([0.0, 0.0, 1.0])
        shine = np.clip(normal @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 28
        grain = 1 + 0.018 * self._noise(1.2, 1.2) + 0.02 * self._noise(9, 9)
        colour = np.array(self._look.skin) * self._blush()
        shade = (0.32 + 0.86 * lit * grain)[..., None] ** np.array([0.9, 1.05, 1.12])
        return colour * shade + 0.11 * shine[..., None]

    def _relief(self) -> Array:
        """Height towards the viewer, pixels: skull, brows, sockets, cheeks, nose, lips and chin."""
        x, y, bump, pair = self._x - MIDDLE, self._y, self._bump, self._pair
        across = np.clip(np.abs(x) / (self._half + 6), 0, 1)
        height = 88 * np.sqrt(1 - across**2 * 0.985) - 0.0009 * (y - 270) ** 2
        height += 7 * bump(0, EYE_Y - 32, 75, 14)
        height -= 10 * pair(45, EYE_Y - 6, 24, 13) + 4 * pair(20, EYE_Y, 9, 15)
        height += 6 * pair(45, EYE_Y, 17, 11) + 8 * pair(58, 315, 26, 22)
        height += 9 * pair(17, NOSE_Y - 2, 7.5, 7) - 3.5 * pair(30, NOSE_Y + 16, 9, 16)
        height -= 3.5 * pair(41, MOUTH_Y + 2, 7, 8)
        spine = np.clip((y - (EYE_Y - 18)) / (NOSE_Y - 8 - EYE_Y + 18), 0, 1)
        bridge = np.exp(-((x / (10 + 3 * spine)) ** 2)) * smoothstep(NOSE_Y + 8, NOSE_Y - 8, y)
        height += (3 + 15 * spine**1.3) * bridge * smoothstep(0, 0.25, spine) + 11 * bump(0, NOSE_Y - 8, 10, 9)
        height += 6 * bump(0, MOUTH_Y - 6, 26, 7) + 7 * bump(0, MOUTH_Y + 9, 24, 7) - 2.5 * bump(0, NOSE_Y + 18, 5, 10)
        return height - 6 * bump(0, MOUTH_Y + 24, 24, 7) + 9 * bump(0, CHIN_Y - 24, 24, 16)

    def _blush(self) -> Array:
        """Redder cheeks, nose and ears, darker nostrils and sockets: a factor for the skin's colour."""
        red = self._pair(56, 318, 26, 22) + 0.8 * self._bump(0, NOSE_Y - 6, 14, 12)
        dark = self._pair(11, NOSE_Y + 5, 5.5, 2.6)
        tired = self._pair(45, EYE_Y + 4, 26, 14)
        factor = 1 - red[..., None] * (0.0, 0.1, 0.1) - tired[..., None] * (0.03, 0.06, 0.05)
        return factor * (1 - 0.72 * dark[..., None] * (0.9, 1, 1))

    def _paint_eye(self, image: Array, eye: Opening) -> Array:
        x, y = self._x, self._y
        upper, lower = eye.edges(x[0])
        center_x, center_y = eye.center_x, EYE_Y - 2
        away = np.hypot(x - center_x, y - center_y)
        white = np.array([0.86, 0.83, 0.80]) * (1 - 0.012 * np.abs(x - center_x))[..., None]
        angle = np.arctan2(y - center_y, x - center_x)
        rays = 1 + 0.22 * np.sin(23 * angle + 3 * np.sin(5 * angle))
        iris = np.array(self._look.iris) * (rays * (0.75 + 0.5 * smoothstep(4, 10, away)))[..., None]
        ball = _over(white, iris, smoothstep(11.5, 10, away))
        ball = _over(
            ball, np.array([0.03, 0.03, 0.03]), np.maximum(smoothstep(5.2, 4, away), 0.5 * _ring(away, 11, 1.1))
        )
        ball = _over(ball, np.ones(3), smoothstep(2.4, 1.4, np.hypot(x - center_x + 4, y - center_y + 4)))
        ball *= (0.55 + 0.45 * smoothstep(0, 8, y - upper))[..., None]
        image = _over(image, ball, smoothstep(-1, 1, y - upper) * smoothstep(-1, 1, lower - y) * (lower - upper > 0.3))
        return self._lids(image, eye, upper, lower)

    def _lids(self, image: Array, eye: Opening, upper: Array, lower: Array) -> Array:
        """Lashes along the upper edge, a thin lower edge, and the crease above."""
        y, w = self._y, (np.abs(self._x - eye.center_x) < eye.half_width + 1.5).astype(float)
        lash = np.exp(-(((y - upper + 1.2) / 2.1) ** 2)) * gaussian_filter1d(w, 1.5, axis=1)
        rim = np.exp(-(((y - lower) / 1.3) ** 2)) * gaussian_filter1d(w, 2.5, axis=1)
        crease = np.exp(-(((y - upper + 8) / 2.0) ** 2)) * gaussian_filter1d(w, 4, axis=1)
        return image * (1 - 0.85 * lash - 0.35 * rim - 0.28 * crease)[..., None]

    def _brow(self, image: Array, eye: Opening) -> Array:
        side = np.sign(eye.center_x - MIDDLE)
        along = side * (self._x - eye.center_x)
        arch = EYE_Y - 29 - 5 * np.exp(-(((along - 10) / 20) ** 2)) + 0.006 * along**2
        thick = self._look.brow_width * (0.75 - 0.011 * along)
        hairs = 0.8 + 0.2 * self._noise(0.8, 2.2)
        band = np.exp(-(np.abs((self._y - arch) / np.clip(thick, 1, None)) ** 2.5) * 3)
        ends = smoothstep(-32, -20, along) * smoothstep(38, 24, along)
        return _over(image, np.array(self._look.hair) * 1.2, np.clip(0.9 * band * ends * hairs, 0, 0.92))

    def _lips(self, image: Array) -> Array:
        face, x, y = self._face, self._x, self._y
        upper, lower = face.mouth.edges(x[0])
        top, bottom = curve(face.lip_upper)(x[0]), curve(face.lip_lower)(x[0])
        width = smoothstep(38, 33, np.abs(x - MIDDLE))
        red = smoothstep(-1.5, 1.5, y - top) * smoothstep(-2, 2, bottom - y) * width
        tone = np.array(self._look.lips) / np.array(self._look.skin)
        shade = np.where(y < upper + 1, 0.86, 1.04 + 0.12 * self._bump(-8, MOUTH_Y + 7, 14, 3))
        image = image * (1 - 0.9 * red[..., None]) + image * tone * shade[..., None] * 0.9 * red[..., None]
        line = np.exp(-(((y - (upper + lower) / 2) / 1.5) ** 2)) * smoothstep(37, 30, np.abs(x - MIDDLE))
        return image * (1 - 0.72 * line[..., None])

    def _hair_behind(self, image: Array) -> Array:
        """The mass of the hair around the head, down to the look's length."""
        x, y, end = self._x - MIDDLE, self._y, self._look.hair_end
        crown = np.hypot(x / 132, (y - 232) / 158)
        wide = np.abs(x) - 131 + 0.06 * (y - 232)
        mass = np.where(y < 232, smoothstep(1.02, 0.985, crown), smoothstep(3, -3, wide))
        ragged = end + 10 * self._noise(3, 30)
        return _over(image, self._strands(0.75), gaussian_filter(mass * smoothstep(6, -10, y - ragged), 1.0))

    def _fringe(self, image: Array) -> Array:
        """Hair over forehead and temples, with a soft, ragged edge and its shadow on the skin."""
        x, y, look = self._x, self._y, self._look
        from_parting = np.abs(x - look.parting) / 130
        line = 158 + 62 * from_parting**1.6 + 2.5 * self._noise(1.5, 12) + 4 * self._noise(9, 20)
        temple = np.abs(x - MIDDLE) - 93 + 0.1 * np.clip(y - 230, 0, None) - 3 * self._noise(10, 2.5)
        beside = smoothstep(-3, 5, temple) * smoothstep(8, -14, y - look.hair_end)
        crown = smoothstep(1.02, 0.985, np.hypot((x - MIDDLE) / 132, (y - 232) / 158))
        above = smoothstep(4, -4, y - line) * np.where(y < 232, crown, 0)
        outer = smoothstep(131, 126, np.abs(x - MIDDLE) + 0.06 * (y - 232)) * (y > 200)
        mask = gaussian_filter(np.maximum(above, beside * outer), 0.8)
        shadow = 1 - 0.35 * gaussian_filter(mask, 6)[..., None] * self._inside[..., None]
        return _over(image * shadow, self._strands(1.0), mask)

    def _strands(self, light: float) -> Array:
        """Hair colour in strands that fall from the parting, with a band of gloss around the crown."""
        x, y = self._x - self._look.parting, self._y - 90
        angle, distance = np.arctan2(x, y + 60) * 220, np.hypot(x, y)
        noise = self._random.standard_normal((64, 2048))
        fine, broad = gaussian_filter(noise, (6, 1.1)), gaussian_filter(noise, (8, 5))
        rows = np.clip(distance / 8, 0, 63).astype(int)
        columns = np.clip(angle + 1024, 0, 2047).astype(int)
        strand = 0.5 * fine[rows, columns] / fine.std() + 0.5 * broad[rows, columns] / broad.std()
        gloss = np.exp(-(((distance - 95) / 34) ** 2)) * smoothstep(140, -120, self._x - MIDDLE)
        tone = light * (0.95 + 0.26 * gaussian_filter(strand, 0.7)) + 0.9 * gloss * (1 + 0.3 * strand)
        return np.array(self._look.hair) * np.clip(tone, 0.2, None)[..., None]

    def _bump(self, x: float, y: float, spread_x: float, spread_y: float) -> Array:
        return np.exp(-((((self._x - MIDDLE) - x) / spread_x) ** 2 + ((self._y - y) / spread_y) ** 2) / 2)

    def _pair(self, x: float, y: float, spread_x: float, spread_y: float) -> Array:
        """The same bump on both sides of the face."""
        return self._bump(-x, y, spread_x, spread_y) + self._bump(x, y, spread_x, spread_y)

    def _noise(self, spread_x: float, spread_y: float) -> Array:
        """Smooth noise of unit size."""
        smooth = gaussian_filter(self._random.standard_normal((CANVAS, CANVAS)), (spread_y, spread_x), mode="wrap")
        return smooth / smooth.std()


def _over(below: Array, above: Array, alpha: Array) -> Array:
    return below + (above - below) * alpha[..., None]


def _ring(distance: Array, radius: float, width: float) -> Array:
    return np.exp(-(((distance - radius) / width) ** 2))
