"""Identity of faces: the ArcFace network IR-SE50, and the loss that keeps it (Richardson et al. 2021, section 3.2).

The network's names are those of the released ``model_ir_se50.pth``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ShapeError
from ..blocks.ir_se import IR50, Stage, first_layer, ir_body

FACE_SIZE = 112  # pixels of the pictures that the network was trained with
ALIGNED_SIZE = 256  # side of an aligned picture of which `FACE_ROWS` and `FACE_COLUMNS` speak
FACE_ROWS, FACE_COLUMNS = slice(35, 223), slice(32, 220)  # the face inside an aligned picture
DROPOUT = 0.6


class IdentityNetwork(nn.Module):
    """A face -> a vector of length 1; faces of one person have vectors with a product near 1.

    Args:
        stages: channels and blocks; the default is the released network.
        features: length of the vector.
        size: pixels of a face, a multiple of two to the power of the number of stages.
    """

    def __init__(self, stages: Sequence[Stage] = IR50, features: int = 512, size: int = FACE_SIZE) -> None:
        super().__init__()
        self.size = size
        side, channels = size >> len(stages), stages[-1].channels
        self.input_layer = first_layer(3, stages[0].channels)
        self.body = ir_body(stages)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Dropout(DROPOUT),
            nn.Flatten(),
            nn.Linear(channels * side * side, features),
            nn.BatchNorm1d(features),
        )

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 3, size, size) faces in [-1, 1] -> (N, features), each of length 1."""
        return F.normalize(self.output_layer(self.body(self.input_layer(faces))))

    def of_aligned(self, pictures: Tensor) -> Tensor:
        """Vectors (N, features) of the faces in FFHQ-aligned pictures (N, 3, 256, 256) in [-1, 1].

        Raises:
            ShapeError: if the pictures have another size.
        """
        if pictures.shape[-2:] != (ALIGNED_SIZE, ALIGNED_SIZE):
            raise ShapeError(
                f"the identity network got aligned pictures of {tuple(pictures.shape[-2:])} pixels",
                cure=f"Resize them to {ALIGNED_SIZE} x {ALIGNED_SIZE}.",
            )
        return self(F.adaptive_avg_pool2d(pictures[:, :, FACE_ROWS, FACE_COLUMNS], self.size))


def identity_loss(network: IdentityNetwork, made: Tensor, real: Tensor) -> Tensor:
    """One minus the mean product of the vectors of aligned pictures (N, 3, 256, 256) in [-1, 1]; a scalar.

    The real pictures get no gradient. The network should be in eval mode.
    """
    return 1 - (network.of_aligned(made) * network.of_aligned(real).detach()).sum(dim=1).mean()
