"""Operations of StyleGAN2's networks, native where they can be built, else in plain PyTorch.

``TALKINGFACE_OPS=auto|off|require`` selects native operations where possible (the default), never, or always with an
error if they are missing. They are built on first use, never at import, into the user's cache;
``--run_mode=doctor`` shows their state.
"""

from .operations import fused_leaky_relu, upfirdn2d

__all__ = ["fused_leaky_relu", "upfirdn2d"]
