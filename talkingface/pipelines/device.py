"""The words of ``--device`` and ``--precision`` as torch understands them."""

from __future__ import annotations

import torch

from ..errors import ConfigError


def choose_device(word: str) -> torch.device:
    """The device named ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``; ``auto`` is the first GPU, else the CPU.

    Raises:
        ConfigError: the device named is not there.
    """
    if word == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(word)
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}[device.type]
    if (device.index or 0) >= there:
        raise ConfigError(
            f"no such device: torch sees {there} of this type", where=f"--device={word}", cure="Use --device=auto."
        )
    return device


def choose_precision(word: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; ``auto`` is bfloat16 where the device multiplies matrices faster in it."""
    if word != "auto":
        return {"float32": torch.float32, "bf16": torch.bfloat16}[word]
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and "amx_bf16" in cpu_bf16_units()
    return torch.bfloat16 if fast else torch.float32


def cpu_bf16_units() -> list[str]:
    """The CPU's instruction sets for bfloat16; AMX makes it several times faster than float32.

    Empty with a torch too old to say it, so that ``auto`` stays with float32 there.
    """
    ask = getattr(torch.cpu, "get_capabilities", None)
    able = ask() if ask is not None else {}
    return [name for name in ("amx_bf16", "avx512_bf16") if able.get(name)]
