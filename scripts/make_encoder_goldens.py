#!/usr/bin/env python3
"""Writes tests/golden/<name>/ for encoders beside BERT, and for rankers: as make_goldens.py, which has the rest.

  make_encoder_goldens.py [NAME ...]    modernbert, roberta, bert-ranker, modernbert-ranker, roberta-ranker; all of them if none is named
"""
import json
import sys

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (BertConfig, BertForSequenceClassification, BertTokenizer, PreTrainedTokenizerFast, XLMRobertaConfig,
                          XLMRobertaForSequenceClassification, XLMRobertaModel, ModernBertConfig, ModernBertForSequenceClassification,
                          ModernBertModel)

from make_goldens import EMBEDDER_FLOORS, GOLDEN, READER_FLOORS, SENTENCES, randomise, rounded, word_piece_vocabulary, write

PAIRS = [("the law?", "art 5 of the law, the court answered."), ("x", "y"), ("what is the law of courts?", "z " * 60),
         ("of", "question answering of the court."), ("the court of law", "x")]


def sentence_pieces():
    """A Unigram tokenizer with the parts of XLM-RoBERTa's."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.UnigramTrainer(
        vocab_size=160, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
                                   cls_token="<s>", sep_token="</s>")


def roberta_config(tokenizer, **options):
    return XLMRobertaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                            max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, attn_implementation="eager", **options)


def embedder(name, model, tokenizer, floors=EMBEDDER_FLOORS):
    """An embedder with [CLS] pooling, as BGE-M3's dense vectors."""
    folder = GOLDEN / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"},
                                                     {"path": "2_Normalize", "type": "Normalize"}]))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}))
    cases = []
    for seed, length in ((0, 1), (1, 2), (2, 17), (3, 33), (4, 64)):
        ids = np.random.default_rng(seed).integers(4, len(tokenizer), length).tolist()
        with torch.inference_mode():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        cases.append({"ids": ids, "hidden": rounded(hidden), "embedding": rounded(hidden[0] / hidden[0].norm())})
    texts = []
    for text in SENTENCES[:5]:
        with torch.inference_mode():
            first = model(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt")).last_hidden_state[0, 0]
        texts.append({"text": text, "embedding": rounded(first / first.norm())})
    write(folder, {"kind": "embedder", "checkpoint": ".", "floors": floors, "dimension": 32, "max_tokens": 64, "cases": cases,
                   "texts": texts})


def roberta():
    tokenizer = sentence_pieces()
    embedder("roberta", randomise(XLMRobertaModel(roberta_config(tokenizer), add_pooling_layer=False), 11), tokenizer)


def modernbert_tokenizer():
    """Byte-level BPE with the template of ModernBERT."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]"]))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]")


def modernbert_config(tokenizer, **options):
    return ModernBertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=48,
                            max_position_embeddings=64, local_attention=16, pad_token_id=0, cls_token_id=1, sep_token_id=2,
                            bos_token_id=1, eos_token_id=2, attn_implementation="eager", **options)


def modernbert():
    tokenizer = modernbert_tokenizer()
    # Rounding the weights to int4 in torch gives .885, too: gated layers multiply errors.
    embedder("modernbert", randomise(ModernBertModel(modernbert_config(tokenizer)), 14), tokenizer, {**EMBEDDER_FLOORS, "int4": 0.85})


def ranker(name, model, tokenizer, max_tokens, has_types):
    folder = GOLDEN / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    split = lambda text: tokenizer.encode(text, add_special_tokens=False)
    cases = []
    for question, passage in PAIRS:
        x = tokenizer(question, passage, truncation="only_second", max_length=max_tokens, return_tensors="pt")
        if not has_types:
            x.pop("token_type_ids", None)
        with torch.inference_mode():
            logit = model(**x).logits[0, 0].item()
        cases.append({"question": question, "passage": passage, "ids": x["input_ids"][0].tolist(), "relevance": logit})
    write(folder, {"kind": "reader", "checkpoint": ".", "floors": READER_FLOORS, "max_tokens": max_tokens, "cases": cases})


def bert_ranker():
    folder, vocabulary = GOLDEN / "bert-ranker", word_piece_vocabulary()
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=64, num_labels=1, attn_implementation="eager")
    tokenizer = BertTokenizer.from_pretrained(str(folder))
    ranker("bert-ranker", randomise(BertForSequenceClassification(config), 12), tokenizer, 64, True)


def roberta_ranker():
    tokenizer = sentence_pieces()
    model = randomise(XLMRobertaForSequenceClassification(roberta_config(tokenizer, num_labels=1)), 13)
    ranker("roberta-ranker", model, tokenizer, 64, False)


def modernbert_ranker():
    tokenizer = modernbert_tokenizer()
    config = modernbert_config(tokenizer, num_labels=1, classifier_pooling="mean")
    ranker("modernbert-ranker", randomise(ModernBertForSequenceClassification(config), 15), tokenizer, 64, False)


MAKERS = {"modernbert": modernbert, "modernbert-ranker": modernbert_ranker, "roberta": roberta, "bert-ranker": bert_ranker, "roberta-ranker": roberta_ranker}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or MAKERS:
        MAKERS[wanted]()
