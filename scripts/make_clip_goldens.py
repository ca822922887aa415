#!/usr/bin/env python3
"""Writes tests/golden/clip and clip-legacy, or those that are named: tiny CLIP models with random weights, and the vectors of transformers
for texts and images.

  clip           quick_gelu; the first end-of-text token gives the vector; preprocessor_config.json
  clip-legacy    gelu; the token of the highest id gives the vector, as in configurations that say eos_token_id 2; images whose side is no
                 multiple of the patch's; processor_config.json

Needs what make_encoder_goldens.py and make_image_goldens.py need. Run it again only to change the inputs.
"""
import json
import sys

import numpy as np
import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from make_goldens import GOLDEN, SENTENCES, randomise, rounded, write
from make_image_goldens import CLIP_MEAN, CLIP_STD, picture
from tokenizer_families import clip

# An added token behind the end of text in the vocabulary: the two rules find different tokens in a text that has it.
EXTRA = "<extra>"
TEXTS = [*SENTENCES, "", f"a photo of {EXTRA} on a table", "A  Cat!  "]
PICTURES = [(50, 37, 1), (33, 64, 2), (32, 32, 3)]
POSITIONS = 24


def tokenizer_in(folder):
    folder.mkdir(parents=True, exist_ok=True)
    clip(SENTENCES * 3, 40).save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "CLIPTokenizer", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "model_max_length": POSITIONS}))
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([EXTRA])
    tokenizer.save_pretrained(folder)
    return tokenizer


def unit(vector):
    return rounded(vector / vector.norm())


def save(name, seed, activation, end, image_size, patch, processor_files, floors):
    folder = GOLDEN / name
    tokenizer = tokenizer_in(folder)
    end = tokenizer.eos_token_id if end is None else end
    text = dict(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                max_position_embeddings=POSITIONS, hidden_act=activation, bos_token_id=tokenizer.bos_token_id, eos_token_id=end)
    vision = dict(hidden_size=40, num_hidden_layers=2, num_attention_heads=5, intermediate_size=64, image_size=image_size,
                  patch_size=patch, hidden_act=activation)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24, attn_implementation="eager")
    randomise(CLIPModel(config), seed).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    model = CLIPModel.from_pretrained(folder, attn_implementation="eager").eval()
    processor = CLIPImageProcessorPil(size={"shortest_edge": image_size}, crop_size={"height": image_size, "width": image_size},
                                      image_mean=CLIP_MEAN, image_std=CLIP_STD)
    for file, content in processor_files(image_size).items():
        (folder / file).write_text(json.dumps(content))
    texts, images = [], []
    with torch.inference_mode():
        for line in TEXTS:
            x = tokenizer(line, truncation=True, max_length=POSITIONS, return_tensors="pt")
            texts.append({"text": line, "embedding": unit(model.get_text_features(**x).pooler_output[0])})
        for width, height, number in PICTURES:
            image = picture(width, height, number)
            pixels = processor(image, return_tensors="pt")["pixel_values"]
            images.append({"width": width, "height": height, "rgb": np.asarray(image).tobytes().hex(),
                           "embedding": unit(model.get_image_features(pixel_values=pixels).pooler_output[0])})
    write(folder, {"kind": "image_embedder", "checkpoint": ".", "floors": floors, "dimension": 24, "max_tokens": POSITIONS,
                   "image_tokens": (image_size // patch) ** 2 + 1, "texts": texts, "images": images})


def published(size):
    """As openai/clip-vit-base-patch32 has it."""
    return {"preprocessor_config.json": {
        "crop_size": size, "do_center_crop": True, "do_normalize": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "resample": 3, "size": size}}


def nested(size):
    """As transformers 5 saves it. The file beside it is of another processor, and not to be read."""
    inner = {"crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
             "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN, "image_processor_type": "CLIPImageProcessor",
             "image_std": CLIP_STD, "resample": 3, "rescale_factor": 1 / 255, "size": {"shortest_edge": size}}
    return {"processor_config.json": {"image_processor": inner, "processor_class": "CLIPProcessor"},
            "preprocessor_config.json": {"image_processor_type": "OtherImageProcessor"}}


# Rounding the weights to int4 in torch gives .955, too.
FLOORS = {"fp32": 0.99999, "fp16": 0.9999, "int8": 0.998, "int4": 0.94}
MAKERS = {
    "clip": lambda: save("clip", 21, "quick_gelu", None, 32, 8, published, FLOORS),
    "clip-legacy": lambda: save("clip-legacy", 22, "gelu", 2, 30, 7, nested, FLOORS),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for wanted in sys.argv[1:] or MAKERS:
        MAKERS[wanted]()
