"""Tells trained weights apart."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

DIGITS = 12


def fingerprint(network: nn.Module) -> str:
    """A short word that is the same for the same weights on every machine, and another one after any training.

    Args:
        network: as built and loaded, not rearranged for speed.
    """
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy())
    return digest.hexdigest()[:DIGITS]
