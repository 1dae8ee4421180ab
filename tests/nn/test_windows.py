"""Windows of whole pixels."""

from __future__ import annotations

import torch

from talkingface.nn.geometry.grids import paste_windows, take_windows, window_corners


def test_windows_lie_around_their_centres_and_inside() -> None:
    centres = torch.tensor([[0.0, 0.0], [-1.0, 1.0], [0.5, -0.25]])
    corners = window_corners(centres, (16, 24), (64, 64), 2)
    assert corners[:2].tolist() == [[20, 24], [0, 48]]
    assert bool((corners % 2 == 0).all())


def test_what_is_taken_can_be_put_back() -> None:
    pictures = torch.rand(2, 3, 32, 32)
    corners = torch.tensor([[4, 0], [10, 16]])
    windows = take_windows(pictures, corners, (8, 12))
    assert torch.equal(windows[1], pictures[1, :, 16:24, 10:22])
    assert torch.equal(paste_windows(pictures, windows, corners), pictures)
    changed = paste_windows(pictures, windows + 1, corners)
    assert float((changed - pictures).sum()) == 2 * 3 * 8 * 12


def test_gradients_reach_picture_and_window() -> None:
    picture, window = torch.rand(1, 1, 8, 8, requires_grad=True), torch.rand(1, 1, 2, 2, requires_grad=True)
    paste_windows(picture, window, torch.tensor([[2, 4]])).sum().backward()
    assert picture.grad is not None and float(picture.grad.sum()) == 60
    assert window.grad is not None and float(window.grad.sum()) == 4
