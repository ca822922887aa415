#!/usr/bin/env python3
"""Writes tests/golden/blip2: a tiny BLIP-2 with random weights, and the logits and captions of transformers for it.

Needs what make_clip_goldens.py needs. Run it again only to change the inputs.
"""
import json

import numpy as np
import torch
from transformers import Blip2Config, Blip2ForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from make_goldens import GOLDEN, byte_level_tokenizer, randomise, rounded, write
from make_image_goldens import CLIP_MEAN, CLIP_STD, picture

FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.995, "int4": 0.8}
REQUESTS = ["", "what is it?"]
PICTURES = [(50, 37, 1), (33, 64, 2)]
SIZE, QUERIES, NEW_TOKENS = 28, 5, 12


def tiny(folder):
    tokenizer = byte_level_tokenizer()
    tokenizer.save_pretrained(folder)
    vision = dict(hidden_size=40, num_hidden_layers=2, num_attention_heads=5, intermediate_size=64, image_size=SIZE, patch_size=7)
    qformer = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=48, encoder_hidden_size=40,
                   cross_attention_frequency=2, vocab_size=10, max_position_embeddings=8)
    text = dict(model_type="opt", vocab_size=len(tokenizer) + 1, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64,
                word_embed_proj_dim=32, max_position_embeddings=128, bos_token_id=2, eos_token_id=7, pad_token_id=1)
    config = Blip2Config(vision_config=vision, qformer_config=qformer, text_config=text, num_query_tokens=QUERIES,
                         image_token_index=len(tokenizer))
    model = randomise(Blip2ForConditionalGeneration._from_config(config, attn_implementation="eager"), 31)
    with torch.no_grad():
        # As large as the others: the position of a patch and the queries would decide little.
        model.query_tokens.normal_(0, 1)
    model.tie_weights()
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_processor_type": "BlipImageProcessor", "image_std": CLIP_STD, "processor_class": "Blip2Processor", "resample": 3,
        "rescale_factor": 1 / 255, "size": {"height": SIZE, "width": SIZE}}))
    return Blip2ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval(), tokenizer


def main():
    folder = GOLDEN / "blip2"
    model, tokenizer = tiny(folder)
    processor = BlipImageProcessorPil(size={"height": SIZE, "width": SIZE}, image_mean=CLIP_MEAN, image_std=CLIP_STD)
    cases = []
    for width, height, number in PICTURES:
        image = picture(width, height, number)
        pixels = processor(image, return_tensors="pt")["pixel_values"]
        for request in REQUESTS:
            asked = f"Question: {request} Answer:" if request else ""  # as its model card asks
            after = [2, *tokenizer(asked, add_special_tokens=False)["input_ids"]]
            prompt = [model.config.image_token_index] * QUERIES + after
            with torch.inference_mode():
                ids = torch.tensor([prompt])
                out = model.generate(pixel_values=pixels, input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                     max_new_tokens=NEW_TOKENS)[0].tolist()
                new = out[len(prompt):] if out[:len(prompt)] == prompt else out
                whole = torch.tensor([prompt + new])
                logits = model(pixel_values=pixels, input_ids=whole, attention_mask=torch.ones_like(whole)).logits[0]
            written = new[:-1] if new[-1] == 7 else new
            cases.append({"width": width, "height": height, "rgb": np.asarray(image).tobytes().hex(), "request": request,
                          "after": after, "image_tokens": QUERIES, "text": new, "caption": tokenizer.decode(written),
                          "first_logits": rounded(logits[len(prompt) - 1]), "last_logits": rounded(logits[-1])})
            print(repr(cases[-1]["caption"]), new)
    write(folder, {"kind": "vision_language", "checkpoint": ".", "floors": FLOORS, "cases": cases})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
