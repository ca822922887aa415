"""Weights on the grid of Q4_0, which quantize-model stores in 4 bits without loss: groups of 32 inputs, each value an integer
from -8 to 7 times an fp16 number."""

import contextlib

import torch

GROUP = 32


@torch.no_grad()
def rounded(weight):
    """The nearest weights on the grid; [outputs, inputs], inputs a multiple of 32."""
    groups = weight.float().reshape(-1, GROUP)
    largest = groups.gather(1, groups.abs().argmax(1, keepdim=True))
    step = (largest / -8).half().float()
    codes = (groups / torch.where(step == 0, torch.ones_like(step), step)).round().clamp(-8, 7)
    return (codes * step).view_as(weight)


def matrices(model):
    """The parameters that are stored in 4 bits and trained: the products of the layers."""
    return [p for n, p in model.named_parameters() if p.requires_grad and ".layers." in n and p.dim() == 2]


@contextlib.contextmanager
def in_four_bits(model):
    """The model computes with rounded weights. Their gradients are applied to the weights as they are (the straight-through
    estimator of Bengio et al. 2013), so that training finds weights that rounding does not harm."""
    kept = [(p, p.data) for p in matrices(model)]
    try:
        for p, value in kept:
            p.data = rounded(value)
        yield
    finally:
        for p, value in kept:
            p.data = value
