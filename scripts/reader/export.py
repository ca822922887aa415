"""Writes a trained reader as a checkpoint folder that quantize-model reads (model_type "bert-reader")."""

import json

import torch
from safetensors.torch import save_file

from .text import MAX_PAIR, MAX_QUESTION

_LAYER = {"out": "attention.output.dense", "norm1": "attention.output.LayerNorm", "up": "intermediate.dense", "down": "output.dense",
          "norm2": "output.LayerNorm"}


def tensors_of(model):
    """The weights by Hugging Face's names for BERT; the heads flat, because they stay in fp32."""
    encoder = model.encoder
    tensors = {"embeddings.word_embeddings.weight": encoder.word.weight, "embeddings.position_embeddings.weight": encoder.position.weight,
               "embeddings.token_type_embeddings.weight": encoder.segment.weight, "embeddings.LayerNorm.weight": encoder.norm.weight,
               "embeddings.LayerNorm.bias": encoder.norm.bias}
    for i, layer in enumerate(encoder.layers):
        at = f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            parts = getattr(layer["qkv"], kind).chunk(3)
            for name, part in zip(("query", "key", "value"), parts):
                tensors[f"{at}attention.self.{name}.{kind}"] = part
            for ours, theirs in _LAYER.items():
                tensors[f"{at}{theirs}.{kind}"] = getattr(layer[ours], kind)
    for name in ("rank_first", "rank_last", "span", "answerable"):
        head = getattr(model, name)
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = head.weight.flatten(), head.bias
    return {name: tensor.detach().float().clone().contiguous() for name, tensor in tensors.items()}


def export(model, file, tokenizer, folder, confidence=None):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = tensors_of(model)
    if confidence:
        for name, coefficients in confidence.items():
            tensors[f"{name}.weight"] = torch.tensor(coefficients, dtype=torch.float32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"model_type": "bert-reader", "architectures": ["BertReader"], "hidden_size": file.hidden, "num_hidden_layers": file.layers,
              "num_attention_heads": file.heads, "intermediate_size": file.intermediate, "max_position_embeddings": file.positions,
              "vocab_size": file.vocabulary, "type_vocab_size": 2, "layer_norm_eps": file.epsilon, "hidden_act": "gelu",
              "first_exit": model.FIRST, "max_question_tokens": MAX_QUESTION, "max_pair_tokens": MAX_PAIR}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
