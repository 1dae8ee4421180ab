"""(a) The native operations against plain PyTorch in the same run, on the shapes of StyleGAN2.

Processor time of all threads, as other programs may use the machine: the fastest of several runs that take turns. On a
GPU also the time of its clock, against plain PyTorch and against what copying the same bytes takes.

python -m benchmarks.ops [--device cpu|cuda] [--threads N] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.report import Figure, arguments, publish
from talkingface.ops import native
from talkingface.ops import operations as reference
from talkingface.ops.native import Library
from talkingface.ops.resampling import Resampling, taps_of

KERNEL = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64
ABOVE, BELOW = math.sqrt(2), 0.2 * math.sqrt(2)
# Side of the layer: its channels in the published generator, of which the layers up to 64 are alike.
CHANNELS = {64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}
AIM = ">= 1"


@dataclass(frozen=True)
class Pair:
    """One piece of work in both ways.

    Attributes:
        moved: bytes read and written at least.
    """

    name: str
    native: Callable[[], Tensor]
    plain: Callable[[], Tensor]
    moved: int


def main() -> int:
    """Measure and report; exit status 1 where plain PyTorch is faster."""
    parser = arguments(__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--repeat", type=int, default=7, help="runs of each; the fastest counts")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    library = native.library_for(torch.empty(0, device=options.device))
    if library is None:
        print(f"there are no native operations: {native.states()}", file=sys.stderr)
        return 2
    measure = _gpu_seconds if options.device == "cuda" else _processor_seconds
    figures: list[Figure] = []
    with torch.inference_mode():
        for pair in (*resamplings(library, options.device), *activations(library, options.device)):
            figures += _compared(pair, measure, options.repeat, options.device)
    return publish(f"native operations, {torch.get_num_threads()} threads", figures, options.json)


def resamplings(library: Library, device: str) -> Iterator[Pair]:
    """Blur after the transposed convolution, doubling of the picture, and the discriminator's halving."""
    for side, channels in CHANNELS.items():
        yield _resampling(library, device, "blur", channels, side + 1, Resampling(1, 1, 1, 1, 1, 1))
        yield _resampling(library, device, "double", 3, side // 2, Resampling(2, 1, 2, 1, 2, 1))
    for side in (64, 256):
        yield _resampling(library, device, "halve", CHANNELS[side], side, Resampling(1, 2, 1, 1, 1, 1))


def _resampling(library: Library, device: str, name: str, channels: int, side: int, how: Resampling) -> Pair:
    x, taps = torch.randn(1, channels, side, side, device=device), taps_of(KERNEL)
    height, width = how.output_size(side, side, taps)
    return Pair(
        f"{name} {channels} x {side} x {side}",
        lambda: library.upfirdn2d(x, taps, how),
        lambda: reference.separable(x, taps, how),
        4 * (x.numel() + channels * height * width),
    )


def activations(library: Library, device: str) -> Iterator[Pair]:
    """Bias and leaky ReLU, and their derivative."""
    for side, channels in CHANNELS.items():
        x, gate = torch.randn(2, 1, channels, side, side, device=device)
        bias = torch.randn(channels, device=device)
        yield _activation(library, f"activate {channels} x {side} x {side}", x, bias, None)
        yield _activation(library, f"its gradient {channels} x {side} x {side}", x, None, gate)


def _activation(library: Library, name: str, x: Tensor, bias: Tensor | None, gate: Tensor | None) -> Pair:
    return Pair(
        name,
        lambda: library.gated(x, bias, gate, ABOVE, BELOW),
        lambda: reference.gated(x, bias, gate, ABOVE, BELOW),
        4 * x.numel() * (2 if gate is None else 3),
    )


def _compared(pair: Pair, measure: Callable[..., float], repeat: int, device: str) -> list[Figure]:
    own, plain = pair.native(), pair.plain()
    torch.testing.assert_close(own, plain, rtol=1e-4, atol=1e-5)
    del own, plain
    seconds = [(measure(pair.native), measure(pair.plain)) for _ in range(repeat)]
    fast, slow = (min(column) for column in zip(*seconds, strict=True))
    figures = [
        Figure(f"{pair.name}, native", 1000 * fast, "ms"),
        Figure(f"{pair.name}, faster than plain", slow / fast, "x", AIM),
    ]
    if device == "cuda":
        source = torch.empty(pair.moved // 2, dtype=torch.uint8, device=device)
        copied = min(measure(source.clone) for _ in range(repeat))
        figures.append(Figure(f"{pair.name}, share of the speed of copying", copied / fast))
    return figures


def _processor_seconds(work: Callable[[], Tensor]) -> float:
    times = max(1, int(0.005 / _once(work)))  # short work several times: the clock is coarse
    return _once(work, times)


def _once(work: Callable[[], Tensor], times: int = 1) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return max((time.process_time() - started) / times, 1e-7)


def _gpu_seconds(work: Callable[[], Tensor]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(10):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 10_000


if __name__ == "__main__":
    sys.exit(main())
