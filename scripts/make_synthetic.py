#!/usr/bin/env python3
"""Writes checkpoints of the real shapes with random weights, in shards, so that loading, quantising and running are measured at full size.

  make_synthetic.py NAME FOLDER [--dtype bfloat16|float32] [--seed N]     names: --help lists them

No weights are downloaded. The shapes are those of transformers' classes, built without memory; the tokenizer is a small one, since no text is
to make sense. Memory stays below 200 MB, whatever the model. Needs torch, transformers, tokenizers, numpy.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from transformers import (AutoModel, AutoModelForCausalLM, Blip2Config, Blip2ForConditionalGeneration, Gemma3TextConfig, OPTConfig,
                          PreTrainedTokenizerFast, Qwen3Config, Qwen3VLConfig, Qwen3VLForConditionalGeneration, XLMRobertaConfig)

SHARD_BYTES = 2 << 30
BLOCK = 1 << 22  # numbers at once
SCALE = 0.02     # standard deviation of weights, as models of this size are initialised

OPT_2_7B = dict(hidden_size=2560, ffn_dim=10240, num_hidden_layers=32, num_attention_heads=32, vocab_size=50272, word_embed_proj_dim=2560,
                max_position_embeddings=2048)
BLIP_PROCESSOR = {
    "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "BlipImageProcessor", "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3,
    "rescale_factor": 1 / 255, "size": {"height": 224, "width": 224}}
QWEN3_1_7B = dict(hidden_size=2048, intermediate_size=6144, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8, head_dim=128,
                  vocab_size=151936)
QWEN_PROCESSOR = {
    "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Qwen2VLImageProcessorFast", "image_std": [0.5, 0.5, 0.5], "merge_size": 2,
    "patch_size": 16, "size": {"longest_edge": 16777216, "shortest_edge": 65536}, "temporal_patch_size": 2}
PROCESSORS = {"blip2-opt-2.7b": BLIP_PROCESSOR, "qwen3-vl-2b": QWEN_PROCESSOR}

MODELS = {
    "gemma-3-1b": (AutoModelForCausalLM, Gemma3TextConfig, dict(
        hidden_size=1152, intermediate_size=6912, num_hidden_layers=26, num_attention_heads=4, num_key_value_heads=1, head_dim=256,
        vocab_size=262144, max_position_embeddings=32768, sliding_window=512, query_pre_attn_scalar=256)),
    "qwen3-1.7b": (AutoModelForCausalLM, Qwen3Config, dict(
        max_position_embeddings=40960, tie_word_embeddings=True, rope_theta=1e6, **QWEN3_1_7B)),
    "qwen3-vl-2b": (Qwen3VLForConditionalGeneration, Qwen3VLConfig, dict(
        text_config=dict(max_position_embeddings=262144, rope_parameters={
            "rope_type": "default", "rope_theta": 5e6, "mrope_interleaved": True, "mrope_section": [24, 20, 20]}, **QWEN3_1_7B),
        vision_config=dict(depth=24, hidden_size=1024, num_heads=16, intermediate_size=4096, out_hidden_size=2048,
                           deepstack_visual_indexes=[5, 11, 17]), tie_word_embeddings=True)),
    "bge-m3": (AutoModel, XLMRobertaConfig, dict(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, vocab_size=250002,
        max_position_embeddings=8194, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2)),
    "opt-2.7b": (AutoModelForCausalLM, OPTConfig, OPT_2_7B),
    "blip2-opt-2.7b": (Blip2ForConditionalGeneration, Blip2Config, dict(
        text_config=dict(model_type="opt", eos_token_id=50118, **OPT_2_7B), num_query_tokens=32, image_token_index=50265)),
}


def shapes_of(name):
    loader, config_class, options = MODELS[name]
    config = config_class(**options)
    with torch.device("meta"):
        model = loader.from_config(config) if hasattr(loader, "from_config") else loader(config)
    config.architectures = [type(model).__name__]
    tied = set(getattr(model, "_tied_weights_keys", None) or ()) if getattr(config, "tie_word_embeddings", True) else set()
    return config, {k: tuple(v.shape) for k, v in model.state_dict().items() if k not in tied and v.dtype.is_floating_point}


def shards_of(shapes, width):
    shards, size = [{}], 0
    for key, shape in shapes.items():
        count = int(np.prod(shape)) * width
        if size + count > SHARD_BYTES and shards[-1]:
            shards.append({})
            size = 0
        shards[-1][key] = shape
        size += count
    return shards


def mean_of(key, shape, config):
    """1 for the weight of a norm, unless the model adds 1 to it."""
    is_norm = len(shape) == 1 and "norm" in key.lower() and key.endswith("weight")
    return 1.0 if is_norm and not config.model_type.startswith("gemma") else 0.0


def numbers(rng, count, mean, width):
    """Blocks of bytes of normal numbers: float32, or bfloat16 by cutting."""
    for at in range(0, count, BLOCK):
        values = rng.standard_normal(min(BLOCK, count - at), dtype=np.float32) * np.float32(SCALE) + np.float32(mean)
        yield values.tobytes() if width == 4 else (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()


def write_shard(path, shapes, dtype, rng, config):
    width = 4 if dtype == "float32" else 2
    header, at = {}, 0
    for key, shape in shapes.items():
        end = at + int(np.prod(shape)) * width
        header[key] = {"dtype": "F32" if width == 4 else "BF16", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key, shape in shapes.items():
            for block in numbers(rng, int(np.prod(shape)), mean_of(key, shape, config), width):
                file.write(block)
    return at


def write_tokenizer(folder, special):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(["the quick brown fox"], trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, special_tokens=special))
    if special[0] == "<s>":
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[2]).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    config, shapes = shapes_of(a.name)
    shards = shards_of(shapes, 4 if a.dtype == "float32" else 2)
    rng, weight_map, total = np.random.default_rng(a.seed), {}, 0
    for i, shard in enumerate(shards):
        file = "model.safetensors" if len(shards) == 1 else f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        total += write_shard(a.folder / file, shard, a.dtype, rng, config)
        weight_map |= dict.fromkeys(shard, file)
    if len(shards) > 1:
        (a.folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))
    config.save_pretrained(a.folder)
    if a.name in PROCESSORS:
        (a.folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[a.name]))
    write_tokenizer(a.folder, ["<s>", "<pad>", "</s>", "<unk>"] if a.name == "bge-m3" else
                    ["<|im_start|>", "<|endoftext|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"])
    print(f"{a.folder}: {sum(int(np.prod(s)) for s in shapes.values()):,} weights in {len(shards)} files, {total:,} bytes")


if __name__ == "__main__":
    main()
