"""A way to put a face back: its mean colour comes half of the way to the picture's."""

import numpy as np

from talkingface.face.crop.crop import Crop
from talkingface.face.paste.blend import Blend, Mask, Region, Size, border_mask
from talkingface.media.image import Picture


def mask(crop: Crop, region: Region, size: Size, ratio: float) -> Mask:
    """Fade over a tenth of the crop."""
    return border_mask(crop, region, size, feather=0.1 * min(crop.size))


def tint(old: Picture, result: Picture) -> Picture:
    """Half of the way to the mean colour of what is replaced."""
    change = (old.mean(axis=(0, 1)) - result.mean(axis=(0, 1))) / 2
    return np.rint(result + change).clip(0, 255).astype(np.uint8)


TINTED = Blend(mask, fit=tint)
