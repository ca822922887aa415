#!/usr/bin/env python3
"""Writes tests/golden/tokenizer/spm_*: small SentencePiece models of each family and type, and the ids that transformers and sentencepiece give
for varied texts.

  scripts/make_sentencepiece_goldens.py [--only NAME,…]

spm_llama has the ids of sentencepiece, the others those of what transformers converts the folder of a model to. Those of the families that
make_tokenizer_goldens.py has are the same as there, and not written again: "golden" names them. The table of the normalisation, which is
that of nmt_nfkc.charsmap, is cut out of each file, and "charsmap_at" says where. Needs what make_tokenizer_goldens.py needs.
"""

import argparse
import io
import json
import pathlib
import re
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer
from transformers import LlamaTokenizer, PreTrainedTokenizerFast, T5Tokenizer, XLMRobertaTokenizer

from make_tokenizer_goldens import (BLOCKS, FAMILY_EDGES, GOLDEN, PROSE, REPEATS, code_points_text, digest, goldens, texts, write)

TABLE = (GOLDEN / "nmt_nfkc.charsmap").read_bytes()
ROLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
IDENTITY = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True}
def added(token, special):
    return {"content": token, "special": special, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}


# The file, its training, the class that reads it, and tokenizer_config.json.
FAMILIES = {
    "spm_xlm_roberta": ("sentencepiece.bpe.model", {"vocab_size": 800}, XLMRobertaTokenizer,
                        {**ROLES, "tokenizer_class": "XLMRobertaTokenizer", "pad_token": "<pad>", "mask_token": "<mask>"}),
    "spm_t5": ("spiece.model", {"vocab_size": 800, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, T5Tokenizer,
               {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 100}),
    "spm_llama": ("tokenizer.model", {"vocab_size": 900, "model_type": "bpe", "byte_fallback": True, **IDENTITY,
                                      "user_defined_symbols": ["<tool>", "ão", "\n\n"]}, LlamaTokenizer,
                  {**ROLES, "tokenizer_class": "LlamaTokenizer", "add_eos_token": False, "legacy": False, "added_tokens_decoder": {
                      "0": added("<unk>", True), "1": added("<s>", True), "2": added("</s>", True), "900": added("<|im_start|>", True),
                      "901": added("<think>", False)}}),
    "spm_unigram": ("tokenizer.model", {"vocab_size": 900, "byte_fallback": True, "user_defined_symbols": ["<tool>", "ão"]},
                    PreTrainedTokenizerFast, {**ROLES, "tokenizer_class": "PreTrainedTokenizerFast"}),
    "spm_bpe": ("tokenizer.model", {"vocab_size": 900, "model_type": "bpe", "user_defined_symbols": ["<tool>", "ão"]},
                PreTrainedTokenizerFast, {**ROLES, "tokenizer_class": "PreTrainedTokenizerFast"}),
}


def train(options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(PROSE.split("\n") * 4), model_writer=out, hard_vocab_limit=False,
                                             character_coverage=0.98, minloglevel=2, **options)
    return out.getvalue()


def of_sentencepiece(model, converted):
    """As goldens(): added tokens part a text, whose parts are encoded alone; what is decoded is left to transformers."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    special = ["<unk>", "<s>", "</s>", "<|im_start|>"]

    def encode(text, added_tokens):
        parts = re.split("(" + "|".join(map(re.escape, added_tokens)) + ")", text)
        return [i for part in parts for i in ([converted.token_to_id(part)] if part in added_tokens else processor.encode(part))]

    cases = []
    for text in [*texts(), *FAMILY_EDGES, "<think> a\n\n</think>b <think>", "<|im_start|>user <think>"]:
        ids, parsed = encode(text, ["<think>"]), encode(text, ["<think>", *special])
        case = {"text": text, "ids": ids, "decoded": converted.decode(parsed, skip_special_tokens=True),
                "decoded_all": converted.decode(parsed, skip_special_tokens=False)}
        cases.append(case if parsed == ids else {**case, "parsed": parsed})
    repeats = []
    for unit, count in REPEATS:
        ids = processor.encode(unit * count)
        repeats.append({"unit": unit, "count": count, "num_ids": len(ids), "digest": digest(ids)})
    return {"cases": cases, "repeats": repeats, "code_points": [[block, digest(processor.encode(code_points_text(block)))] for block in BLOCKS]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(FAMILIES))
    for name in parser.parse_args().only.split(","):
        file, options, family, config = FAMILIES[name]
        model = train(options)
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / file).write_bytes(model)
            (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps(config))
            converted = Tokenizer.from_str(family.from_pretrained(folder).backend_tokenizer.to_str())
        results = of_sentencepiece(model, converted) if name == "spm_llama" else goldens(converted, False, FAMILY_EDGES)
        at = model.find(TABLE)
        proto = sentencepiece_model_pb2.ModelProto.FromString(model)
        assert (at < 0) == (not proto.normalizer_spec.precompiled_charsmap), "another table"
        (GOLDEN / f"{name}.model").write_bytes(model if at < 0 else model[:at] + model[at + len(TABLE):])
        golden = name
        if family in (XLMRobertaTokenizer, T5Tokenizer):
            golden = name.removeprefix("spm_")
            assert json.loads((GOLDEN / f"{golden}.json").read_text(encoding="utf-8")) == results, "other ids than those of " + golden
            results = {}
        write(f"{name}.json", {"file": file, "charsmap_at": at, "config": json.dumps(config), "golden": golden, **results})
        print(name, len(proto.pieces), "pieces, ids of", golden)


if __name__ == "__main__":
    main()
