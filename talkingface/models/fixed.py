"""Fixed networks of others that losses compare features of: VGG19 and IR-SE50."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ..nn.losses.identity import IdentityNetwork
from ..nn.losses.perceptual import VGG19
from ..weights.load import load_strict
from .settings import missing_loss_file


@dataclass
class FixedNetworks:
    """Networks whose weights were given; None before."""

    vgg: VGG19 | None = None
    identity: IdentityNetwork | None = None

    def take_vgg(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of torchvision's VGG19.

        Raises:
            WeightsError: if a layer is missing or has another shape.
        """
        vgg = VGG19()
        vgg.load_torchvision(state)
        self.vgg = vgg

    def take_identity(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of IR-SE50; errors as for `take_vgg`."""
        network = IdentityNetwork()
        load_strict(network, state, where="ir_se50")
        self.identity = network.requires_grad_(False).eval()

    def takers(self, *, vgg: bool, identity: bool = False) -> dict[str, Callable[[Mapping[str, Tensor]], None]]:
        """Name in the catalogue -> function that takes its weights, of the networks that are wanted."""
        wanted = {"vgg19": (vgg, self.take_vgg), "ir_se50": (identity, self.take_identity)}
        return {name: take for name, (is_wanted, take) in wanted.items() if is_wanted}

    def check(self, *, vgg: bool, identity: bool = False) -> None:
        """Refuse to train without the networks that are wanted; errors as for `required_vgg`."""
        if vgg:
            self.required_vgg()
        if identity:
            self.required_identity()

    def required_vgg(self) -> VGG19:
        """VGG19.

        Raises:
            WeightsError: if it was not given.
        """
        if self.vgg is None:
            raise missing_loss_file("vgg19")
        return self.vgg

    def required_identity(self) -> IdentityNetwork:
        """IR-SE50; errors as for `required_vgg`."""
        if self.identity is None:
            raise missing_loss_file("ir_se50")
        return self.identity
