#!/usr/bin/env python3
"""Writes tests/golden/t5, t5-tied, bart and bart-scaled, or those that are named: tiny encoder-decoders with random weights, and the outputs of transformers for
them: logits, and the texts of generate() by greedy and beam search.

Needs what make_goldens.py needs, except gguf. Run it again only to change the inputs.
"""
import sys

import numpy as np
import torch
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

from make_goldens import GOLDEN, byte_level_tokenizer, randomise, rounded, write

FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.99, "int4": 0.8}
T5_FLOORS = {**FLOORS, "int4": 0.6}  # 4 bits drift further in a text of 150 random tokens: 0.70
# Settings of generate(), beside those of the checkpoint.
SEARCHES = [
    {},
    {"num_beams": 1, "max_length": 24},
    {"num_beams": 1, "max_length": 30, "min_length": 12, "no_repeat_ngram_size": 2},
    {"num_beams": 1, "max_length": 12, "forced_bos_token_id": 7, "forced_eos_token_id": 2},
    {"num_beams": 4, "max_length": 24},
    {"num_beams": 3, "max_length": 24, "length_penalty": 2.0, "early_stopping": True},
    {"num_beams": 4, "max_length": 28, "length_penalty": 0.5, "no_repeat_ngram_size": 3, "min_length": 8},
    {"num_beams": 4, "max_length": 20, "forced_bos_token_id": 7, "forced_eos_token_id": 2, "no_repeat_ngram_size": 1},
    {"num_beams": 5, "max_length": 20, "early_stopping": "never", "length_penalty": 1.5},
    {"num_beams": 2, "max_length": 16, "length_penalty": -1.0, "early_stopping": False},
]


def tokens(seed, count, vocab):
    """Never the special tokens, which transformers would take for padding or an end."""
    return np.random.default_rng(seed).integers(3, vocab, count).tolist()


def outputs(model, vocab, longest, floors):
    """The long case reaches the distances that share a bucket."""
    cases, start = [], model.config.decoder_start_token_id
    for seed, source, target in ((0, 1, 1), (1, 5, 3), (2, 40, 12), (3, longest, longest - 4)):
        ids, texts = tokens(seed, source, vocab), [start, *tokens(seed + 100, target - 1, vocab)]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([texts])).logits[0]
        cases.append({"ids": ids, "target": texts, "last_logits": rounded(logits[-1]), "argmax": logits.argmax(-1).tolist()})
    prompts = [tokens(seed, 3 + 3 * seed, vocab) for seed in range(12)]
    searches = []
    for settings in SEARCHES:
        texts = []
        for ids in prompts:
            source = torch.tensor([ids])
            with torch.inference_mode():
                out = model.generate(source, attention_mask=torch.ones_like(source), do_sample=False, **settings)[0]
            texts.append(out.tolist())
        searches.append({"settings": settings, "texts": texts})
    lengths = sorted(len(text) for search in searches for text in search["texts"])
    print(f"  texts of {lengths[0]} to {lengths[-1]} tokens, median {lengths[len(lengths) // 2]}")
    return {"kind": "encoder_decoder", "checkpoint": ".", "floors": floors, "cases": cases, "prompts": prompts, "searches": searches}


def save(name, model, tokenizer, longest, floors):
    folder = GOLDEN / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    print(name)
    # As read back: the tying of weights and the scale of outputs are what the files say.
    read_back = type(model).from_pretrained(folder, attn_implementation="eager").eval()
    write(folder, outputs(read_back, len(tokenizer), longest, floors))


def tiny_t5(name, seed, untied, **options):
    tokenizer = byte_level_tokenizer()
    config = T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, num_heads=3, d_ff=40, num_layers=2, num_decoder_layers=2,
                      decoder_start_token_id=0, pad_token_id=0, eos_token_id=2, attn_implementation="eager", **options)
    model = randomise(T5ForConditionalGeneration(config), seed)
    with torch.no_grad():
        for stack in (model.encoder, model.decoder):
            stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight.mul_(6)
        for parameter_name, p in model.named_parameters():
            if parameter_name.endswith("Attention.q.weight"):
                p.div_(config.d_kv**0.5)  # as T5's own initialisation, since its scores are not scaled
        if untied:
            model.lm_head.weight = torch.nn.Parameter(0.25 * torch.randn_like(model.shared.weight))
        model.lm_head.weight[config.eos_token_id].mul_(2.5)  # so that texts end
    save(name, model, tokenizer, 150, T5_FLOORS)


def tiny_bart(name, seed, **options):
    tokenizer = byte_level_tokenizer()
    config = BartConfig(vocab_size=len(tokenizer), d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
                        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=48, max_position_embeddings=64, bos_token_id=0,
                        pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, attn_implementation="eager", **options)
    model = randomise(BartForConditionalGeneration(config), seed)
    with torch.no_grad():
        model.final_logits_bias.copy_(0.5 * torch.randn_like(model.final_logits_bias))
        model.final_logits_bias[0, config.eos_token_id] += 3  # so that texts end
    generation = model.generation_config
    generation.num_beams, generation.length_penalty, generation.early_stopping = 4, 2.0, True
    generation.no_repeat_ngram_size, generation.min_length, generation.max_length = 3, 6, 18
    generation.forced_bos_token_id = 0
    save(name, model, tokenizer, 60, FLOORS)


FAMILIES = {
    "t5": lambda: tiny_t5("t5", 11, untied=True, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "t5-tied": lambda: tiny_t5("t5-tied", 12, untied=False, feed_forward_proj="relu", relative_attention_num_buckets=16,
                               relative_attention_max_distance=40),
    "bart": lambda: tiny_bart("bart", 13, scale_embedding=False),
    "bart-scaled": lambda: tiny_bart("bart-scaled", 14, scale_embedding=True),
}


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FAMILIES:
        FAMILIES[name]()


if __name__ == "__main__":
    main()
