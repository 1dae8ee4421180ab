"""Weights of StyleHEAT as files of others write them, under its own names and in its shapes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .warper import video_warper_names

MEAN = "latent_avg"


def adapted(name: str, state: Mapping[str, Tensor], codes: int) -> dict[str, Tensor]:
    """The state of a network.

    Args:
        name: of the network.
        codes: of a picture; a mean code that is one for all is repeated so often.
    """
    if name == "video_warper":
        return video_warper_names(state)
    found = dict(state)
    if name == "e4e_encoder" and MEAN in found:
        mean = found[MEAN]
        found[MEAN] = mean.squeeze(0) if mean.ndim == 3 else mean
        if found[MEAN].ndim == 1:
            found[MEAN] = found[MEAN].expand(codes, -1)
    return found
