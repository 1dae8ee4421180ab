"""Operations of generators in the manner of StyleGAN2, native where they can be built, else in plain PyTorch.

``TALKINGFACE_OPS=auto|off|require`` chooses: native where possible (the default), never, or an error where not. They
are built on first use, never at import, into the user's cache; ``--run_mode=doctor`` tells how things stand.
"""

from .fused_leaky_relu import fused_leaky_relu
from .upfirdn2d import upfirdn2d

__all__ = ["fused_leaky_relu", "upfirdn2d"]
