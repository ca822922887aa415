#!/usr/bin/env python3
"""Trains a small tokenizer of each model family on given text, in the exact form in which transformers writes it.

  scripts/tokenizer_families.py [--size 8000] [--only NAME,…] OUT FOLDER…      writes OUT/NAME/tokenizer.json

FOLDER is as in compare_tokenizers.py, which then counts the differences on any text. make_tokenizer_goldens.py makes the tokenizers of
the tests with these functions. Needs the Python packages tokenizers, transformers, sentencepiece and protobuf. The table of
SentencePiece's normalisation (nmt_nfkc) is the one that the package sentencepiece puts into every model that it trains.
"""

import argparse
import io
import json
import os

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from transformers import T5Tokenizer, XLMRobertaTokenizer

from compare_tokenizers import sample, texts_under


def train_sentencepiece(lines, size, **options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, vocab_size=size, hard_vocab_limit=False, character_coverage=0.98,
        minloglevel=2, **options)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    return model


def pieces_of(model):
    return [(piece.piece, piece.score) for piece in model.pieces]


def charsmap_of(model):
    return model.normalizer_spec.precompiled_charsmap


def changed(tokenizer, change):
    """A copy of a tokenizer whose tokenizer.json is changed."""
    content = json.loads(tokenizer.to_str())
    change(content)
    return Tokenizer.from_str(json.dumps(content))


def xlm_roberta(lines, size):
    model = train_sentencepiece(lines, size)
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces_of(model)[3:], ("<mask>", 0.0)]
    return XLMRobertaTokenizer(vocab=vocab, _spm_precompiled_charsmap=charsmap_of(model)).backend_tokenizer


def bge_m3(lines, size):
    """XLM-RoBERTa as transformers 4 converted it: runs of spaces are replaced by the normaliser."""
    def change(content):
        content["normalizer"] = {"type": "Sequence", "normalizers": [
            content["normalizer"], {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
        content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}
    return changed(xlm_roberta(lines, size), change)


def spm_converted(lines, size):
    """As later versions of transformers' SpmConverter: white space at the end is stripped, runs of spaces become a mark. With the
    tokens of bytes, and added tokens that match normalised text."""
    model = train_sentencepiece(lines, size, byte_fallback=True)

    def change(content):
        content["normalizer"] = {"type": "Sequence", "normalizers": [
            content["normalizer"], {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]}
        content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
        content["model"]["byte_fallback"] = True
        for token in content["added_tokens"]:
            token["normalized"] = True
            token["lstrip"] = token["content"] == "<mask>"
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces_of(model)[3:], ("<mask>", 0.0)]
    return changed(XLMRobertaTokenizer(vocab=vocab, _spm_precompiled_charsmap=charsmap_of(model)).backend_tokenizer, change)


def t5(lines, size):
    model = train_sentencepiece(lines, size, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    vocab = [*pieces_of(model), *((f"<extra_id_{i}>", 0.0) for i in range(99, -1, -1))]
    return T5Tokenizer(vocab=vocab, _spm_precompiled_charsmap=charsmap_of(model)).backend_tokenizer


FAMILIES = {f.__name__: f for f in (xlm_roberta, bge_m3, spm_converted, t5)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=8000)
    parser.add_argument("--only", default=",".join(FAMILIES))
    parser.add_argument("out")
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()
    lines = sample(texts_under(arguments.folders), 20000)
    for name in arguments.only.split(","):
        folder = os.path.join(arguments.out, name)
        os.makedirs(folder, exist_ok=True)
        FAMILIES[name](lines, arguments.size).save(os.path.join(folder, "tokenizer.json"), pretty=False)


if __name__ == "__main__":
    main()
