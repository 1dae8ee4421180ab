"""Runs the recorded cases of the operations, with first and second derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from talkingface.ops.fused_leaky_relu import fused_leaky_relu
from talkingface.ops.upfirdn2d import upfirdn2d

from ..case import Case
from ..run import Runner


def run_upfirdn2d(case: Case) -> dict[str, Tensor]:
    """All settings of the case."""
    outputs: dict[str, Tensor] = {}
    for combo in case.build["combos"]:
        name = combo["name"]
        x = case.inputs[combo["x"]].clone().requires_grad_()
        gradient = case.inputs[f"{name}.g"].clone().requires_grad_()
        kernel = combo.get("gain", 1) * case.inputs[combo["kernel"]]
        out = upfirdn2d(x, kernel, combo["up"], combo["down"], tuple(combo["pad"]))
        (grad_x,) = torch.autograd.grad(out, x, gradient, create_graph=True)
        (grad_grad,) = torch.autograd.grad(grad_x, gradient, case.inputs[f"{name}.v"])
        outputs |= {f"{name}.out": out, f"{name}.grad_x": grad_x, f"{name}.grad_grad": grad_grad}
    return outputs


def run_fused_leaky_relu(case: Case) -> dict[str, Tensor]:
    """All settings of the case."""
    outputs: dict[str, Tensor] = {}
    for combo in case.build["combos"]:
        name = combo["name"]
        x, bias = (case.inputs[key].clone().requires_grad_() for key in (name, combo["bias"]))
        gradient = case.inputs[f"{name}.g"].clone().requires_grad_()
        out = fused_leaky_relu(x, bias, combo["negative_slope"], combo["scale"])
        firsts = torch.autograd.grad(out, (x, bias), gradient, create_graph=True)
        seeds = case.inputs[f"{name}.v"], case.inputs[f"{name}.u"]
        (grad_grad,) = torch.autograd.grad(firsts, gradient, seeds)
        outputs |= {f"{name}.out": out, f"{name}.grad_x": firsts[0], f"{name}.grad_b": firsts[1]}
        outputs[f"{name}.grad_grad"] = grad_grad
    return outputs


RUNNERS: dict[str, Runner] = {
    "styleheat/ops-upfirdn2d": run_upfirdn2d,
    "styleheat/ops-fused-leaky-relu": run_fused_leaky_relu,
}
