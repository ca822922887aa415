#!/usr/bin/env python3
"""Writes tests/golden/blip2 and blip2-t5, or those that are named: tiny BLIP-2 with random weights, and the logits and captions of transformers
for them.

Needs what make_clip_goldens.py needs. Run it again only to change the inputs.
"""
import json
import sys

import numpy as np
import torch
from tokenizers.processors import TemplateProcessing
from transformers import Blip2Config, Blip2ForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from make_goldens import GOLDEN, byte_level_tokenizer, randomise, rounded, write
from make_image_goldens import CLIP_MEAN, CLIP_STD, picture

FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.995, "int4": 0.8}
T5_FLOORS = {**FLOORS, "int8": 0.99, "int4": 0.6}  # those of T5 alone; the lowest are 0.992 and 0.75
REQUESTS = ["", "what is it?"]
PICTURES = [(50, 37, 1), (33, 64, 2)]
SIZE, QUERIES, NEW_TOKENS = 28, 5, 12


def with_opt(tokenizer):
    return dict(model_type="opt", vocab_size=len(tokenizer) + 1, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64,
                word_embed_proj_dim=32, max_position_embeddings=128, bos_token_id=2, eos_token_id=7, pad_token_id=1)


def with_t5(tokenizer):
    """Its exact GELU is that of the published BLIP-2, in which dense_act_fn overrides feed_forward_proj."""
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A <|im_end|>", special_tokens=[("<|im_end|>", 2)])
    return dict(model_type="t5", vocab_size=len(tokenizer) + 1, d_model=32, d_kv=8, num_heads=3, d_ff=40, num_layers=2, num_decoder_layers=2,
                feed_forward_proj="gated-gelu", dense_act_fn="gelu", tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
                pad_token_id=0, decoder_start_token_id=0)


def prepare_opt(model):
    model.tie_weights()


def prepare_t5(model):
    language = model.language_model
    with torch.no_grad():
        for stack in (language.encoder, language.decoder):
            stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight.mul_(6)
        for name, p in language.named_parameters():
            if name.endswith("Attention.q.weight"):
                p.div_(language.config.d_kv**0.5)  # as T5's own initialisation, since its scores are not scaled
        language.lm_head.weight = torch.nn.Parameter(0.25 * torch.randn_like(language.shared.weight))
        language.lm_head.weight[language.config.eos_token_id].mul_(2.5)  # so that texts end


def tiny(folder, text_config, prepare, seed):
    tokenizer = byte_level_tokenizer()
    text = text_config(tokenizer)
    tokenizer.save_pretrained(folder)
    vision = dict(hidden_size=40, num_hidden_layers=2, num_attention_heads=5, intermediate_size=64, image_size=SIZE, patch_size=7)
    qformer = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=48, encoder_hidden_size=40,
                   cross_attention_frequency=2, vocab_size=10, max_position_embeddings=8)
    config = Blip2Config(vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=QUERIES,
                         image_token_index=len(tokenizer))
    model = randomise(Blip2ForConditionalGeneration._from_config(config, attn_implementation="eager"), seed)
    with torch.no_grad():
        # As large as the others: the position of a patch and the queries would decide little.
        model.query_tokens.normal_(0, 1)
    prepare(model)
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_processor_type": "BlipImageProcessor", "image_std": CLIP_STD, "processor_class": "Blip2Processor", "resample": 3,
        "rescale_factor": 1 / 255, "size": {"height": SIZE, "width": SIZE}}))
    return Blip2ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval(), tokenizer


def written_with_opt(model, pixels, ids):
    """The tokens that follow the prompt, and the logits before each and after the last."""
    out = model.generate(pixel_values=pixels, input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
                         max_new_tokens=NEW_TOKENS)[0].tolist()
    prompt = ids[0].tolist()
    new = out[len(prompt):] if out[:len(prompt)] == prompt else out
    whole = torch.tensor([prompt + new])
    return new, model(pixel_values=pixels, input_ids=whole, attention_mask=torch.ones_like(whole)).logits[0, len(prompt) - 1:]


def written_with_t5(model, pixels, ids):
    out = model.generate(pixel_values=pixels, input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW_TOKENS)
    return out[0, 1:].tolist(), model(pixel_values=pixels, input_ids=ids, decoder_input_ids=out).logits[0]


def prompts_with_opt(tokenizer, asked):
    return [2, *tokenizer(asked, add_special_tokens=False)["input_ids"]]


def prompts_with_t5(tokenizer, asked):
    """Without a text generate() gives the encoder the begin token, and a text has what its tokenizer adds."""
    return tokenizer(asked)["input_ids"] if asked else [1]


FAMILIES = {
    "blip2": (with_opt, prepare_opt, prompts_with_opt, written_with_opt, 31, FLOORS),
    "blip2-t5": (with_t5, prepare_t5, prompts_with_t5, written_with_t5, 32, T5_FLOORS),
}


def make(name):
    text_config, prepare, prompts, written, seed, floors = FAMILIES[name]
    folder = GOLDEN / name
    model, tokenizer = tiny(folder, text_config, prepare, seed)
    end = model.config.text_config.eos_token_id
    processor = BlipImageProcessorPil(size={"height": SIZE, "width": SIZE}, image_mean=CLIP_MEAN, image_std=CLIP_STD)
    cases = []
    for width, height, number in PICTURES:
        image = picture(width, height, number)
        pixels = processor(image, return_tensors="pt")["pixel_values"]
        for request in REQUESTS:
            after = prompts(tokenizer, f"Question: {request} Answer:" if request else "")  # as its model card asks
            ids = torch.tensor([[model.config.image_token_index] * QUERIES + after])
            with torch.inference_mode():
                new, logits = written(model, pixels, ids)
                if not request and name == "blip2-t5":
                    assert model.generate(pixel_values=pixels, do_sample=False, max_new_tokens=NEW_TOKENS)[0, 1:].tolist() == new
            cases.append({"width": width, "height": height, "rgb": np.asarray(image).tobytes().hex(), "request": request,
                          "before": [], "after": after, "image_tokens": QUERIES, "text": new,
                          "caption": tokenizer.decode(new[:-1] if new[-1] == end else new),
                          "first_logits": rounded(logits[0]), "last_logits": rounded(logits[-1])})
            print(name, repr(cases[-1]["caption"]), new)
    write(folder, {"kind": "vision_language", "checkpoint": ".", "floors": floors, "cases": cases})


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FAMILIES:
        make(name)


if __name__ == "__main__":
    main()
