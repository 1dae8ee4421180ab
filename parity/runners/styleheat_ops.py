"""Recorded cases of StyleHEAT's operations: filters and activations with their derivatives, flow and warp."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from talkingface.nn.geometry.grids import flow_to_field, warp_by_field
from talkingface.ops.operations import fused_leaky_relu, upfirdn2d

from ..case import Case
from ..run import Runner


def filters(case: Case) -> dict[str, Tensor]:
    """Results of upfirdn2d, with first and second derivatives, for all settings of the case."""
    outputs: dict[str, Tensor] = {}
    for combo in case.build["combos"]:
        name = combo["name"]
        x = case.input(combo["x"]).clone().requires_grad_()
        gradient = case.input(f"{name}.g").clone().requires_grad_()
        kernel = combo.get("gain", 1) * case.input(combo["kernel"])
        out = upfirdn2d(x, kernel, combo["up"], combo["down"], tuple(combo["pad"]))
        (grad_x,) = torch.autograd.grad(out, x, gradient, create_graph=True)
        (grad_grad,) = torch.autograd.grad(grad_x, gradient, case.input(f"{name}.v"))
        outputs |= {f"{name}.out": out, f"{name}.grad_x": grad_x, f"{name}.grad_grad": grad_grad}
    return outputs


def activations(case: Case) -> dict[str, Tensor]:
    """Results of fused_leaky_relu, with first and second derivatives, for all settings of the case."""
    outputs: dict[str, Tensor] = {}
    for combo in case.build["combos"]:
        name = combo["name"]
        x, bias = (case.input(key).clone().requires_grad_() for key in (name, combo["bias"]))
        gradient = case.input(f"{name}.g").clone().requires_grad_()
        out = fused_leaky_relu(x, bias, combo["negative_slope"], combo["scale"])
        firsts = torch.autograd.grad(out, (x, bias), gradient, create_graph=True)
        seeds = case.input(f"{name}.v"), case.input(f"{name}.u")
        (grad_grad,) = torch.autograd.grad(firsts, gradient, seeds)
        outputs |= {f"{name}.out": out, f"{name}.grad_x": firsts[0], f"{name}.grad_b": firsts[1]}
        outputs[f"{name}.grad_grad"] = grad_grad
    return outputs


def flows(case: Case) -> dict[str, Tensor]:
    """Sampling grids of a flow and of none at all, and pictures warped by them.

    Pictures with their side in the name (``image256`` for ``warp_256``) have a flow of their own, ``flow<side>``.
    """
    flow, same = case.input("flow"), case.input("image_same")
    field, still = flow_to_field(flow), flow_to_field(torch.zeros_like(flow))
    outputs = {
        "deformation": field,
        "warp_resized": warp_by_field(case.input("image"), field),
        "warp_same": warp_by_field(same, field),
        "zero_flow_grid": still.expand(len(flow), -1, -1, -1),
        "warp_zero_flow": warp_by_field(same, still),
    }
    own = [name for name in case.inputs if re.match(r"flow\d", name)]
    sides = [match[1] for name in case.outputs if (match := re.fullmatch(r"warp_(\d+)", name))]
    for side, name in zip(sides, own, strict=True):
        outputs[f"warp_{side}"] = warp_by_field(case.input(f"image{side}"), flow_to_field(case.inputs[name]))
    return outputs


RUNNERS: dict[str, Runner] = {
    "styleheat/ops-upfirdn2d": filters,
    "styleheat/ops-fused-leaky-relu": activations,
    "styleheat/flow-ops": flows,
}
