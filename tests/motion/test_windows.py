"""Windows hold the frames around a frame, in arrays and tensors alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkingface.errors import MotionError
from talkingface.motion.windows import window_indices, windows


@pytest.mark.parametrize("length", [1, 2, 5, 27, 40])
@pytest.mark.parametrize("radius", [0, 3, 13])
def test_windows_are_what_a_loop_gives(length: int, radius: int) -> None:
    values = np.random.default_rng(0).standard_normal((length, 4)).astype(np.float32)
    expected = np.stack(
        [
            np.stack([values[min(max(t + k, 0), length - 1)] for k in range(-radius, radius + 1)], axis=1)
            for t in range(length)
        ]
    )
    assert np.array_equal(windows(values, radius=radius), expected)
    assert np.array_equal(windows(torch.from_numpy(values), radius=radius).numpy(), expected)
    chosen = [length - 1, 0, length // 2]
    assert np.array_equal(windows(values, chosen, radius), expected[chosen])


def test_a_window_is_new_memory_and_keeps_the_type() -> None:
    values = np.zeros((3, 2))
    windows(values)[:] = 1
    assert not values.any()
    assert windows(values).dtype == np.float64
    assert windows(torch.zeros(3, 2, dtype=torch.float16)).dtype == torch.float16


def test_gradients_reach_every_frame_of_a_window() -> None:
    values = torch.zeros(30, 2, requires_grad=True)
    windows(values, [0]).sum().backward()
    assert values.grad[:, 0].tolist() == [14.0] + [1.0] * 13 + [0.0] * 16


@pytest.mark.parametrize("frame", [-1, 3])
def test_a_frame_that_is_not_there_is_an_error(frame: int) -> None:
    with pytest.raises(MotionError, match=f"no frame {frame}"):
        window_indices([0, frame], 3)
