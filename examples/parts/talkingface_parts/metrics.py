"""A metric: whether drawn frames are as sharp as real ones."""

from torch import Tensor

from talkingface.evaluation.metric import FrameMetric


class Crispness(FrameMetric):
    """Mean step between neighbouring pixels, drawn over real; 1 where both are alike."""

    heading = "crispness"
    digits = 3
    better = "higher"

    def measure(self, predicted: Tensor, real: Tensor) -> Tensor:
        return self._steps(predicted) / self._steps(real).clamp_min(1e-6)

    @staticmethod
    def _steps(frames: Tensor) -> Tensor:
        return frames.diff(dim=-1).abs().mean(dim=(1, 2, 3))
