#!/usr/bin/env python3
"""Writes tests/golden/pytorch/: a tiny model as safetensors and by torch.save, and small files of each kind that is supported or
rejected.

  make_pytorch_goldens.py

  model.safetensors        the model (BERT, hidden 8, one layer, random weights); config.json and tokenizer beside it
  pytorch_model.bin        its state_dict(), pickle protocol 2, as torch.save does by default
  pytorch_model-0000*.bin  the same in two shards, with pytorch_model.bin.index.json
  training.pt              {"state_dict": …, "optimizer": …, "epoch": …}, protocol 4
  parameters.pt            dict(named_parameters()), under the key "model", protocol 5
  types.pt                 a tensor of every supported type; types.safetensors has the same
  views.pt                 two views of one storage, an offset, a scalar; views.safetensors has the same
  transposed.pt legacy.pt torchscript.pt module.pt int16.pt two_models.pt   rejected, each for another reason

Needs torch, transformers, safetensors; the versions are in versions.json. The same versions write the same
bytes, except in legacy.pt, which contains addresses.
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from make_goldens import GOLDEN, randomise, word_piece_vocabulary

FOLDER = GOLDEN / "pytorch"


class Twice(torch.nn.Module):
    def forward(self, x):
        return 2 * x


def write_model():
    vocabulary = word_piece_vocabulary()
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                        max_position_embeddings=16)
    model = randomise(BertModel(config, add_pooling_layer=False), 7)
    FOLDER.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(FOLDER)
    (FOLDER / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (FOLDER / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}) + "\n")
    return model


def write_shards(weights):
    names = sorted(weights)
    half = len(names) // 2
    shards = {"pytorch_model-00001-of-00002.bin": names[:half], "pytorch_model-00002-of-00002.bin": names[half:]}
    for shard, inside in shards.items():
        torch.save({name: weights[name] for name in inside}, FOLDER / shard)
    where = {name: shard for shard, inside in shards.items() for name in inside}
    (FOLDER / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}, indent=1) + "\n")


def write_read_files(model):
    weights = model.state_dict()
    torch.save(weights, FOLDER / "pytorch_model.bin")
    write_shards(weights)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    torch.save({"epoch": 3, "loss": 0.25, "note": None, "best": True, "steps": 2**40, "optimizer": optimizer.state_dict(),
                "state_dict": weights}, FOLDER / "training.pt", pickle_protocol=4)
    torch.save({"model": dict(model.named_parameters())}, FOLDER / "parameters.pt", pickle_protocol=5)

    types = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64, "i8": torch.int8,
             "u8": torch.uint8, "i32": torch.int32, "i64": torch.int64, "bool": torch.bool}
    every = {name: torch.tensor([[0, 1, 2], [3, 4, 5]]).to(kind) for name, kind in types.items()}
    torch.save(every, FOLDER / "types.pt")
    save_file(every, FOLDER / "types.safetensors")

    base = torch.arange(24, dtype=torch.float32)
    views = {"whole": base, "rows": base[8:20].view(3, 4), "scalar": torch.tensor(1.5), "column": base[4:7].view(1, 3).t()[:, :1]}
    torch.save(views, FOLDER / "views.pt")
    save_file({name: view.clone().contiguous() for name, view in views.items()}, FOLDER / "views.safetensors")


def write_refused_files():
    weight = torch.arange(6, dtype=torch.float32).view(2, 3)
    torch.save({"w.weight": weight.t()}, FOLDER / "transposed.pt")
    torch.save({"w.weight": weight}, FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(3, 2), FOLDER / "module.pt")
    torch.save({"w.weight": weight.to(torch.int16)}, FOLDER / "int16.pt")
    torch.save({"model": {"w": weight}, "state_dict": {"w": weight}}, FOLDER / "two_models.pt")
    torch.jit.script(Twice()).save(str(FOLDER / "torchscript.pt"))


def main():
    torch.manual_seed(7)
    model = write_model()
    write_read_files(model)
    write_refused_files()
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    (FOLDER / "versions.json").write_text(json.dumps(versions) + "\n")


if __name__ == "__main__":
    main()
