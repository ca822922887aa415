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
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (BartTokenizer, CLIPTokenizer, GemmaTokenizer, GPTNeoXTokenizer, Qwen2Tokenizer, RobertaTokenizer, T5Tokenizer,
                          XLMRobertaTokenizer)

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


def train_bpe(lines, size, like, special=(), **affix):
    """The vocabulary and the merges of a BPE that normalises and splits as the tokenizer `like` does."""
    trained = Tokenizer(models.BPE(**affix))
    trained.normalizer = like.normalizer
    trained.pre_tokenizer = like.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), show_progress=False, **affix,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    trained.train_from_iterator(lines, trainer)
    model = json.loads(trained.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(rule) for rule in model["merges"]]}


def roberta(lines, size, family=RobertaTokenizer, **options):
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    return family(**train_bpe(lines, size, family(**options).backend_tokenizer, special), **options).backend_tokenizer


def bart(lines, size):
    return roberta(lines, size, BartTokenizer, add_prefix_space=True)


def qwen2(lines, size):
    tokenizer = Qwen2Tokenizer(**train_bpe(lines, size, Qwen2Tokenizer().backend_tokenizer)).backend_tokenizer
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("<|im_start|>", "<|im_end|>")])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in ("<think>", "</think>")])
    return tokenizer


def modernbert(lines, size):
    """GPT-NeoX's tokenizer with runs of spaces as added tokens, and BERT's template."""
    tokenizer = GPTNeoXTokenizer(**train_bpe(lines, size, GPTNeoXTokenizer().backend_tokenizer, ["<|endoftext|>", "<|padding|>"]))
    tokenizer = tokenizer.backend_tokenizer
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=True) for t in ["|||IP_ADDRESS|||", *(" " * n for n in range(24, 1, -1))]])
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in ("[UNK]", "[CLS]", "[SEP]", "[PAD]")])
    tokenizer.add_tokens([AddedToken("[MASK]", special=True, normalized=False, lstrip=True)])
    tokenizer.add_tokens([AddedToken("[unused0]", special=False, normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")])
    return tokenizer


def clip(lines, size):
    trained = train_bpe(lines, size, CLIPTokenizer().backend_tokenizer, end_of_word_suffix="</w>")
    vocab = trained["vocab"]
    for byte in pre_tokenizers.ByteLevel.alphabet():
        vocab.setdefault(byte + "</w>", len(vocab))
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocab.setdefault(token, len(vocab))
    return CLIPTokenizer(**trained).backend_tokenizer


def clip_published(lines, size):
    """As OpenAI's first file: a shorter expression, and a special token that matches normalised text."""
    def change(content):
        split = content["pre_tokenizer"]["pretokenizers"][0]
        split["pattern"]["Regex"] = split["pattern"]["Regex"].removeprefix(r"<\|startoftext\|>|<\|endoftext\|>|")
        for token in content["added_tokens"]:
            token["normalized"] = token["content"] == "<|startoftext|>"
    return changed(clip(lines, size), change)


def gemma(lines, size):
    """Most characters are unknown, and become tokens of bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = GemmaTokenizer().backend_tokenizer.normalizer
    # Pieces of one word each, for the speed of training.
    trained.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=size + len(special), special_tokens=special, show_progress=False, limit_alphabet=120)
    trained.train_from_iterator(lines, trainer)
    model = json.loads(trained.to_str())["model"]
    tokenizer = GemmaTokenizer(vocab=model["vocab"], merges=[tuple(rule) for rule in model["merges"]]).backend_tokenizer
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in ("\n\n", "\n\n\n", "\u2581\u2581", "<start_of_turn>")])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos>:0 $A:0", pair="<bos>:0 $A:0 <bos>:1 $B:1", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))])
    return tokenizer


def llama2(lines, size):
    """Gemma's pieces with the normaliser and the decoder of Llama 2's published tokenizer.json, which puts a space before a text."""
    def change(content):
        mark = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
        content["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, mark]}
        content["pre_tokenizer"] = None
        content["decoder"] = {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return changed(gemma(lines, size), change)


FAMILIES = {f.__name__: f for f in (xlm_roberta, bge_m3, spm_converted, t5, roberta, bart, qwen2, modernbert, clip, clip_published,
                                      gemma, llama2)}


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
