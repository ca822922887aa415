#!/usr/bin/env python3
"""Writes tests/golden/qwen3-vl: a tiny Qwen3-VL with random weights, and the logits and captions of transformers for it.

Needs what make_clip_goldens.py needs. Run it again only to change the inputs.
"""
import json

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from make_goldens import GOLDEN, SENTENCES, randomise, rounded, write
from make_image_goldens import picture
from make_vision_language_goldens import FLOORS, NEW_TOKENS, PICTURES, REQUESTS

END, WHOLE, PIXELS = 2, 2, {"shortest_edge": 256, "longest_edge": 40000}
PATCHES = dict(patch_size=4, merge_size=WHOLE, temporal_patch_size=2)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
LONG = (190, 181, 5)  # more rows than a forward pass of a long prompt has
TURNS = ("{%- if tools %}{{- '<tool_call>' }}{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' }}"
         "{%- if message.content is string %}{{- message.content }}{%- else %}{%- for part in message.content %}{%- if part.type == 'image' %}"
         "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- else %}{{- part.text }}{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\n' }}"
         "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}")


def vision_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([*SENTENCES, "user\n", "assistant\n", "Describe this image."] * 3, trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, special_tokens=SPECIAL))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TURNS)


def tiny_qwen3_vl(folder, tokenizer):
    tokenizer.save_pretrained(folder)
    token = tokenizer.convert_tokens_to_ids
    vision = dict(depth=3, hidden_size=16, num_heads=2, intermediate_size=40, out_hidden_size=32, patch_size=4, spatial_merge_size=WHOLE,
                  temporal_patch_size=2, num_position_embeddings=25, deepstack_visual_indexes=[0, 1])
    text = dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
                num_key_value_heads=2, head_dim=16, max_position_embeddings=1024, bos_token_id=None, eos_token_id=END, rope_parameters={
                    "rope_type": "default", "rope_theta": 50000.0, "mrope_interleaved": True, "mrope_section": [4, 2, 2]})
    config = Qwen3VLConfig(vision_config=vision, text_config=text, tie_word_embeddings=True, image_token_id=token("<|image_pad|>"),
                           vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"))
    model = randomise(Qwen3VLForConditionalGeneration._from_config(config, attn_implementation="eager"), 37)
    with torch.no_grad():
        # As large as the patches, of which they would decide little.
        model.model.visual.pos_embed.weight.normal_(0, 1)
    model.tie_weights()
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "size": PIXELS, **PATCHES, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "processor_class": "Qwen3VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessorFast"}))
    return Qwen3VLForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()


def pattern(width, height, number):
    """That of tests/support/images.h."""
    i = np.arange(width * height * 3, dtype=np.uint64)
    return (i * np.uint64(number + 3) + i * i // np.uint64(97)).astype(np.uint8).reshape(height, width, 3)


class Qwen3VlOracle:
    def __init__(self, model, tokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.pad = model.config.image_token_id
        self.processor = Qwen2VLImageProcessorPil(size=PIXELS, **PATCHES, image_mean=[0.5] * 3, image_std=[0.5] * 3)

    def ids(self, messages):
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def prompt(self, image, request):
        """The tokens before the image, the number of its rows, the tokens behind it, and the image's inputs."""
        seen = self.processor(image, return_tensors="pt")
        parts = [{"type": "image"}, {"type": "text", "text": request or "Describe this image."}]
        ids = self.ids([{"role": "user", "content": parts}])
        at = ids.index(self.pad)
        return ids[:at], int(seen["image_grid_thw"].prod()) // WHOLE ** 2, ids[at + 1:], seen

    def options(self, ids, seen):
        ids = torch.tensor([ids])
        return dict(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == self.pad).int(), **seen)

    def logits(self, ids, seen):
        self.model.model.rope_deltas = None
        with torch.inference_mode():
            return self.model(**self.options(ids, seen)).logits[0]

    def write(self, ids, seen):
        self.model.model.rope_deltas = None
        with torch.inference_mode():
            out = self.model.generate(**self.options(ids, seen), do_sample=False, max_new_tokens=NEW_TOKENS)[0].tolist()
        return out[len(ids):]

    def about(self, image, request):
        before, rows, after, seen = self.prompt(image, request)
        prompt = before + [self.pad] * rows + after
        new = self.write(prompt, seen)
        logits = self.logits(prompt + new, seen)
        written = new[:-1] if new[-1] == END else new
        return {"request": request, "before": before, "after": after, "image_tokens": rows, "text": new, "caption": self.tokenizer.decode(written),
                "first_logits": rounded(logits[len(prompt) - 1]), "last_logits": rounded(logits[-1])}


def main():
    folder, tokenizer = GOLDEN / "qwen3-vl", vision_tokenizer()
    oracle = Qwen3VlOracle(tiny_qwen3_vl(folder, tokenizer), tokenizer)
    cases = []
    for width, height, number in [*PICTURES, (9, 21, 3)]:
        image = picture(width, height, number)
        for request in REQUESTS:
            cases.append({"width": width, "height": height, "rgb": np.asarray(image).tobytes().hex(), **oracle.about(image, request)})
            print(repr(cases[-1]["caption"]), cases[-1]["image_tokens"], cases[-1]["text"])
    width, height, number = LONG
    long = {"width": width, "height": height, "pattern": number, **oracle.about(pattern(*LONG), "")}
    print(repr(long["caption"]), long["image_tokens"])
    texts = []
    for text in ("what is the law?", SENTENCES[0]):
        ids = oracle.ids([{"role": "user", "content": text}])
        texts.append({"text": text, "ids": ids, "last_logits": rounded(oracle.logits(ids, {})[-1])})
    # In int4 the rounding of 16 features, which three mergers pass on, moves one case to .77, on libtorch as well.
    floors = {**FLOORS, "int4": 0.7}
    write(folder, {"kind": "vision_language", "checkpoint": ".", "floors": floors, "cases": cases, "long": long, "texts": texts})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
