"""Reads the weights of a reader's pack (docs/pack-format.md), so that training can go on from one that is published."""

import struct

import numpy as np
import torch

_F32, _F16, _I8, _I4 = 0, 1, 3, 20
_GROUP, _OUTPUTS, _RECORD = 32, 16, 320


def _linear_i4(data, outputs, inputs):
    """Records of 32 inputs × 16 outputs: codes [4][16][4] of two nibbles, fp16 scales, fp16 minima (compute/tensor/packed.h)."""
    blocks, groups = -(-outputs // _OUTPUTS), -(-inputs // _GROUP)
    records = np.frombuffer(data, np.uint8).reshape(blocks, groups, _RECORD)
    codes = records[..., :256].reshape(blocks, groups, 4, _OUTPUTS, 4)
    nibbles = np.stack([codes & 15, codes >> 4], 2)  # [block, group, half, 4 of inputs, output, input]
    nibbles = nibbles.transpose(0, 4, 1, 2, 3, 5).reshape(blocks, _OUTPUTS, groups, _GROUP).astype(np.float32)
    scale, least = (records[..., at : at + 32].copy().view("<f2").astype(np.float32).transpose(0, 2, 1)[..., None] for at in (256, 288))
    return (nibbles * scale + least).reshape(blocks * _OUTPUTS, groups * _GROUP)[:outputs, :inputs]


def load_pack(model, path):
    """Puts the weights of a reader's pack into the model; its table of words is the trunk's."""
    t = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in read_pack(path).items()}
    encoder = model.encoder
    with torch.no_grad():
        encoder.position.weight.copy_(t["embeddings.position"])
        encoder.segment.weight.copy_(t["embeddings.type"])
        for i, layer in enumerate(encoder.layers):
            for kind in ("weight", "bias"):
                getattr(layer["qkv"], kind).copy_(torch.cat([t[f"layers.{i}.{name}.{kind}"] for name in "qkv"]))
                for name in ("out", "norm1", "up", "down", "norm2"):
                    getattr(layer[name], kind).copy_(t[f"layers.{i}.{name}.{kind}"])
        for kind in ("weight", "bias"):
            getattr(encoder.norm, kind).copy_(t[f"embeddings.norm.{kind}"])
            for head in ("rank_first", "rank_last", "span", "answerable"):
                own = getattr(getattr(model, head), kind)
                own.copy_(t[f"heads.{head}.{kind}"].view_as(own))


def read_pack(path):
    """{name: float32 array} of the tensors of types fp32, fp16, int8 by rows and int4; raises ValueError at another one."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"FRUGALPK" or data[-8:] != b"PACKDONE":
        raise ValueError(f"'{path}' is not a whole pack")
    tensors, configs, blobs = struct.unpack_from("<3I", data, 12)
    strings = 64 + tensors * 96 + configs * 16 + blobs * 32
    found = {}
    for i in range(tensors):
        at, length, dtype, _, rank = struct.unpack_from("<IIBBB", data, 64 + i * 96)
        shape = struct.unpack_from(f"<{rank}Q", data, 64 + i * 96 + 16)
        offset, size, scales, scales_size = struct.unpack_from("<4Q", data, 64 + i * 96 + 48)
        name, part = data[strings + at : strings + at + length].decode(), data[offset : offset + size]
        if dtype == _I4:
            found[name] = _linear_i4(part, *shape)
        elif dtype == _I8:
            found[name] = np.frombuffer(part, np.int8).reshape(shape) * np.frombuffer(data[scales : scales + scales_size], "<f4")[:, None]
        elif dtype in (_F32, _F16):
            found[name] = np.frombuffer(part, "<f4" if dtype == _F32 else "<f2").astype(np.float32).reshape(shape)
        else:
            raise ValueError(f"'{path}': tensor '{name}' has type {dtype}; a reader to go on from has int4, int8, fp16 or fp32")
    return found
