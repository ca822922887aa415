"""Reads the bilingual embedder's file: a BERT in 4 bits with its Unigram tokenizer ("E5S1", docs/design of the embedder)."""

import dataclasses
import struct

import numpy as np


@dataclasses.dataclass
class E5File:
    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    pieces: list  # of (text, score)
    bos: int
    eos: int
    pad: int
    unk: int
    tensors: dict  # name as in the file: float32 array


class _Cursor:
    def __init__(self, data, at):
        self.data, self.at = data, at

    def read(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def array(self, dtype, count):
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def _q4_0(data, elements, offset):
    """Blocks of 32: an fp16 scale, then 16 bytes; byte j holds value j in its low nibble and j + 16 in its high one."""
    blocks = np.frombuffer(data, np.uint8, elements // 32 * 18, offset).reshape(-1, 18)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    codes = blocks[:, 2:]
    values = np.concatenate([codes & 15, codes >> 4], 1).astype(np.float32) - 8
    return values * scale


def read_e5s1(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"E5S1":
        raise ValueError(f"'{path}' is not an E5S1 file")
    cursor = _Cursor(data, 8)
    shape = cursor.read("7i")
    epsilon = cursor.read("f")
    cursor.read("i")
    count, bos, eos, pad, unk = cursor.read("5i")
    blob_bytes = cursor.read("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    blob = data[cursor.at : cursor.at + blob_bytes]
    pieces = [(blob[offsets[i] : offsets[i + 1]].decode(), float(scores[i])) for i in range(count)]
    cursor.at += blob_bytes
    cursor.read("i")
    table_bytes = cursor.read("I")  # the normalisation table, which tokenizer_of() has as rules
    cursor.at += table_bytes
    tensors = {}
    for _ in range(cursor.read("i")):
        name_bytes = cursor.read("H")
        name = data[cursor.at : cursor.at + name_bytes].decode()
        cursor.at += name_bytes
        _, elements, offset, size = cursor.read("BIQQ")
        is_q4 = size < elements * 4
        tensors[name] = _q4_0(data, elements, offset) if is_q4 else np.frombuffer(data, "<f4", elements, offset).copy()
    return E5File(*shape, epsilon, pieces, bos, eos, pad, unk, tensors)


def tokenizer_of(file):
    """Hugging Face's tokenizer with the same pieces and normalisation; ids of single texts without special tokens."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram(file.pieces, unk_id=file.unk))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return tokenizer
