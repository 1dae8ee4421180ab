"""Activation checkpointing: blocks of networks forget their inner activations and compute them again going back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def checkpoint_blocks(networks: nn.ModuleDict) -> int:
    """Let the innermost blocks with at least two layers be computed again in the backward pass; returns their number.

    Numbers stay the same: random draws are repeated, and batch norms count a batch once.
    """
    blocks = [module for module in networks.modules() if _is_block(module)]
    for block in blocks:
        block.forward = partial(_checkpointed, block, block.forward)  # type: ignore[method-assign]
    return len(blocks)


def _is_block(module: nn.Module) -> bool:
    """True for a module that is called as a whole, whose children are layers, two of them with parameters."""
    if isinstance(module, nn.ModuleList | nn.ModuleDict):
        return False
    children = list(module.children())
    leaves = all(next(child.children(), None) is None for child in children)
    return leaves and sum(next(child.parameters(), None) is not None for child in children) > 1


def _checkpointed(block: nn.Module, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    if not (block.training and torch.is_grad_enabled()):
        return forward(*inputs, **named)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _kept_buffers(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)


@contextmanager
def _kept_buffers(block: nn.Module) -> Iterator[None]:
    """Give buffers, such as running statistics, the values back that they had before the block ran again."""
    kept: list[tuple[Tensor, Tensor]] = [(buffer, buffer.clone()) for buffer in block.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
