"""The compact mapping network: from coefficients to the keypoints of the compact generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...nn.geometry.keypoints import Keypoints

ROW = 70
_VALUES = 6  # of a keypoint: x, y and the four of its Jacobian


class CompactMapping(nn.Module):
    """How the keypoints of a source move when its coefficients change.

    Keypoints differ from person to person in ways that coefficients do not tell, so it is their change that is found,
    from the change of the coefficients; no change gives the source's own keypoints to within a small error.

    Args:
        num_kp: K.
        width: of the hidden layers.

    Attributes:
        deviation: (70,), standard deviations that coefficients are divided by; measured, and kept with the weights.
    """

    deviation: Tensor

    def __init__(self, num_kp: int = 15, width: int = 256) -> None:
        super().__init__()
        self.num_kp = num_kp
        self.register_buffer("deviation", torch.ones(ROW))
        self.frame = nn.Sequential(nn.Linear(ROW, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.change = nn.Sequential(
            nn.Linear(2 * width + _VALUES * num_kp + ROW, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, _VALUES * num_kp),
        )
        nn.init.zeros_(self.change[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.change[-1].bias)  # type: ignore[arg-type]

    def forward(self, source: Tensor, driving: Tensor, kp_source: Keypoints) -> Keypoints:
        """Keypoints of frames.

        Args:
            source: (1 or N, 70 or more), coefficients of the source; the first 70 count.
            driving: (N, 70 or more), of the frames.
            kp_source: of the source, (1 or N, ...), with Jacobians.

        Returns:
            Keypoints of the N frames.
        """
        count = len(driving)
        before = (source[:, :ROW] / self.deviation).expand(count, -1)
        after = driving[:, :ROW] / self.deviation
        own = torch.cat([kp_source["value"], kp_source["jacobian"].flatten(2)], dim=2).expand(count, -1, -1)
        seen_before, seen_after = self.frame(before), self.frame(after)
        change = self.change(torch.cat([seen_after - seen_before, seen_after, own.flatten(1), after - before], dim=1))
        moved = own + change.view(-1, self.num_kp, _VALUES)
        return {"value": moved[..., :2], "jacobian": moved[..., 2:].unflatten(-1, (2, 2))}
