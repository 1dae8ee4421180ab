"""A recogniser of phonemes: a small conformer (Gulati et al. 2020) trained with CTC (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import WeightsError

RATE_HZ = 16000
PER_SECOND = 50
"""Steps of the result in a second; step k is centred on the moment k / 50 s."""
_WINDOW, _HOP, _BINS, _MELS = 400, 160, 201, 80
_WIDTH, _HEADS, _BLOCKS, _SPAN = 144, 4, 4, 31
_QUIETEST = 1e-10


class _FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.fc1, self.fc2 = nn.Linear(_WIDTH, 4 * _WIDTH), nn.Linear(4 * _WIDTH, _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.silu(self.fc1(self.norm(x))))  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.in_proj, self.out_proj = nn.Linear(_WIDTH, 3 * _WIDTH), nn.Linear(_WIDTH, _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.in_proj(x).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class _Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.pointwise1 = nn.Conv1d(_WIDTH, 2 * _WIDTH, 1)
        self.depthwise = nn.Conv1d(_WIDTH, _WIDTH, _SPAN, padding=_SPAN // 2, groups=_WIDTH)
        self.pointwise2 = nn.Conv1d(_WIDTH, _WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.glu(self.pointwise1(self.norm(x).transpose(1, 2)), dim=1)
        return self.pointwise2(F.silu(self.depthwise(y))).transpose(1, 2)  # type: ignore[no-any-return]


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ffn1, self.ffn2 = _FeedForward(), _FeedForward()
        self.attn_norm, self.attn = nn.LayerNorm(_WIDTH), _Attention()
        self.conv, self.norm = _Convolution(), nn.LayerNorm(_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ffn1(x) / 2
        x = x + self.attn(self.attn_norm(x))
        x = x + self.conv(x)
        return self.norm(x + self.ffn2(x) / 2)  # type: ignore[no-any-return]


class PhonemeNetwork(nn.Module):
    """A voice -> probabilities of its phonemes; the last token is CTC's blank, the one before a word's end.

    Args:
        tokens: number of them.
    """

    stft_real_kernel: Tensor
    stft_imag_kernel: Tensor
    mel_fb: Tensor

    def __init__(self, tokens: int = 191) -> None:
        super().__init__()
        self.register_buffer("stft_real_kernel", torch.zeros(_BINS, 1, _WINDOW))
        self.register_buffer("stft_imag_kernel", torch.zeros(_BINS, 1, _WINDOW))
        self.register_buffer("mel_fb", torch.zeros(_BINS, _MELS))
        self.stem = nn.Conv1d(_MELS, _WIDTH, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(_Block() for _ in range(_BLOCKS))
        self.proj = nn.Conv1d(_WIDTH, tokens, 1)
        self.eval().requires_grad_(False)

    def forward(self, waves: Tensor) -> Tensor:
        """Logarithms of the probabilities (N, T, tokens) for voices (N, samples) at 16 kHz, full scale -1..1.

        There are at least 201 samples, and T is 1 + samples // 160 over 2, rounded up.
        """
        x = F.gelu(self.stem(self._mel(waves))).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.proj(x.transpose(1, 2)).transpose(1, 2).log_softmax(dim=-1)  # type: ignore[no-any-return]

    def _mel(self, waves: Tensor) -> Tensor:
        """(N, mels, T), logarithmic."""
        padded = F.pad(waves[:, None], (_WINDOW // 2, _WINDOW // 2), mode="reflect")
        parts = (F.conv1d(padded, kernel, stride=_HOP) for kernel in (self.stft_real_kernel, self.stft_imag_kernel))
        power = sum(part.square() for part in parts)
        assert isinstance(power, Tensor)  # noqa: S101 (narrows the type)
        return (power.transpose(1, 2) @ self.mel_fb).clamp_min(_QUIETEST).log().transpose(1, 2)


_PREFIX = "acoustic_model.model."
_LINEAR = ("ffn1.fc1", "ffn1.fc2", "attn.in_proj", "attn.out_proj", "ffn2.fc1", "ffn2.fc2")
_KERNELS = (
    "stem.weight",
    "stem.bias",
    *(f"blocks.{n}.conv.depthwise.{p}" for n in range(_BLOCKS) for p in ("weight", "bias")),
)


def state_of(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """State of a `PhonemeNetwork`, tensors (...) by name, from the arrays of hama's file.

    Matrices and some kernels have lost their names there; their numbers are in the order in which they are used.

    Raises:
        WeightsError: if there are more or fewer of them.
    """
    state = {
        name.removeprefix(_PREFIX).replace("in_proj_bias", "in_proj.bias"): torch.from_numpy(values)
        for name, values in arrays.items()
        if not name.startswith("onnx::")
    }
    matrices = [f"blocks.{number}.{name}.weight" for number in range(_BLOCKS) for name in _LINEAR]
    for kind, names in (("onnx::MatMul_", matrices), ("onnx::Conv_", _KERNELS)):
        numbered = {name.removeprefix(kind): values for name, values in arrays.items() if name.startswith(kind)}
        if len(numbered) != len(names) or not all(number.isdecimal() for number in numbered):
            raise WeightsError(f"{len(numbered)} arrays named {kind}..., not {len(names)}")
        for name, number in zip(names, sorted(numbered, key=int), strict=True):
            values = torch.from_numpy(numbered[number])
            state[name] = values.T.contiguous() if kind == "onnx::MatMul_" else values
    return state
