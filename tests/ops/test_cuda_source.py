"""The GPU's sources: compiled by nvcc where there is one, and run on the host, thread after thread."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import Tensor

from talkingface.ops import native
from talkingface.ops import operations as reference
from talkingface.ops.resampling import Resampling, taps_of
from talkingface.ops.toolchain import LIBRARY, SOURCES, BuildRecipe

from .settings import BLUR, USUAL, odd_settings

CUDA = sorted(SOURCES.glob("*.cu"))


class OnHost(native.Library):
    """The GPU's library as a C++ compiler makes it: kernels run on the host."""

    def _call(self, name: str, x: Tensor, *arguments: object) -> None:
        function = getattr(self._loaded, f"talkingface_{name}_{str(x.dtype).removeprefix('torch.')}")
        assert function(*arguments, ctypes.c_int(0), ctypes.c_void_p(None)) == 0


@pytest.fixture(scope="module")
def on_host(compiler: Path, tmp_path_factory: pytest.TempPathFactory) -> OnHost:
    path = tmp_path_factory.mktemp("host") / "kernels.so"
    flags = ["-O1", "-std=c++17", "-fPIC", "-shared", "-x", "c++"]
    subprocess.run([compiler, *flags, *CUDA, "-o", path], check=True, timeout=300)
    return OnHost(path, "cuda")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_resampling(on_host: OnHost, dtype: torch.dtype) -> None:
    usual = [(torch.randn(2, 3, 21, 34).to(dtype), BLUR, Resampling(*way, *pad, *pad)) for *way, pad in USUAL.values()]
    for x, kernel, how in [*usual, *odd_settings(40, dtype)]:
        kernel = kernel.to(dtype)
        torch.testing.assert_close(on_host.upfirdn2d(x, taps_of(kernel), how), reference.dense(x, kernel, how))


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5, 6)], ids=str)
def test_activation(on_host: OnHost, shape: tuple[int, ...]) -> None:
    x, gate = torch.randn(2, *shape)
    for bias in (torch.randn(4), None):
        for sign in (gate, None):
            torch.testing.assert_close(on_host.gated(x, bias, sign, 1.4, 0.3), reference.gated(x, bias, sign, 1.4, 0.3))


def test_nvcc_builds_the_library(tmp_path: Path, compiler: Path) -> None:
    nvcc = next((found for home in (None, "/usr/local/cuda/bin") if (found := shutil.which("nvcc", path=home))), None)
    if nvcc is None:
        pytest.skip("there is no nvcc")
    made = BuildRecipe("cuda", "sm_90", ("-O3", "-std=c++17", "-arch=sm_90", "-Xcompiler", "-fPIC"), ())
    (tmp_path / "build.ninja").write_text(made.ninja_file(Path(nvcc)))
    from talkingface.ops.toolchain import ninja

    done = subprocess.run([ninja(), "-C", tmp_path], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
    listed = (tmp_path / LIBRARY).read_bytes()
    for name in ("upfirdn2d", "gated"):
        for dtype in native.DTYPES["cuda"]:
            assert f"talkingface_{name}_{str(dtype).removeprefix('torch.')}".encode() in listed


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("dtype", native.DTYPES["cuda"], ids=str)
def test_on_a_gpu(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and both derivatives against plain PyTorch."""
    from talkingface.ops import fused_leaky_relu, upfirdn2d

    found = {}
    for way in ("off", "require"):
        monkeypatch.setitem(os.environ, native.VARIABLE, way)
        torch.manual_seed(0)
        x = torch.randn(2, 3, 33, 46, device="cuda", dtype=dtype, requires_grad=True)
        bias = torch.randn(3, device="cuda", dtype=dtype, requires_grad=True)
        outputs = []
        for up, down, pad in USUAL.values():
            out = fused_leaky_relu(upfirdn2d(x, BLUR.cuda(), up, down, pad), bias)
            (first,) = torch.autograd.grad(out.float().square().sum(), x, create_graph=True)
            outputs += [out, first, *torch.autograd.grad(first.float().square().sum(), (x, bias))]
        found[way] = outputs
    rough = dtype in (torch.float16, torch.bfloat16)
    for own, plain in zip(found["require"], found["off"], strict=True):
        torch.testing.assert_close(own, plain, **({"rtol": 5e-2, "atol": 5e-1} if rough else {}))
