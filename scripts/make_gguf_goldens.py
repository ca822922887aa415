#!/usr/bin/env python3
"""Writes tests/golden/gguf/: a small GGUF file with a tensor of every supported type, and the decoded values.

  make_gguf_goldens.py

Needs numpy and gguf (the Python package of llama.cpp), whose decoders are the oracle. types.gguf has tensors of 2 rows × 512
columns, named after their type; expected.f32 has their values as little-endian fp32, in the order of the sorted names. The k-quants
are random blocks with scales of a realistic size, since the package decodes them but does not encode them; the others are encodings
of random weights. The seed is fixed, so the files change only if this script or the package changes.
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "gguf"
ROWS, COLS = 2, 512
ENCODED = [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1]
RANDOM = [Type.Q4_K, Type.Q5_K, Type.Q6_K]
# Where a block keeps its fp16 scales: random bits there would be NaN or 60,000.
SCALE_OFFSETS = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}


def random_blocks(rng, kind):
    elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS, COLS // elements, block_bytes), dtype=np.uint8)
    for offset in SCALE_OFFSETS[kind]:
        scales = rng.uniform(-0.02, 0.02, blocks.shape[:2]).astype(np.float16)
        blocks[..., offset:offset + 2] = scales[..., None].view(np.uint8)
    return blocks.reshape(ROWS, -1)


def main():
    rng = np.random.default_rng(20)
    FOLDER.mkdir(parents=True, exist_ok=True)
    weights = rng.normal(0, 0.05, (ROWS, COLS)).astype(np.float32)
    tensors = {kind: quants.quantize(weights, kind) for kind in ENCODED}
    tensors |= {kind: random_blocks(rng, kind) for kind in RANDOM}
    writer = gguf.GGUFWriter(FOLDER / "types.gguf", "llama")
    expected = {}
    for kind, data in tensors.items():
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = quants.dequantize(data, kind).astype("<f4")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (FOLDER / "expected.f32").write_bytes(b"".join(expected[name].tobytes() for name in sorted(expected)))


if __name__ == "__main__":
    main()
