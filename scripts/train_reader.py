#!/usr/bin/env python3
"""Trains the reader: one small model that ranks passages for a question and finds the answer in them, in Portuguese and English.

  train_reader.py prepare --trunk E5S1.bin --data DIR --work DIR    examples with hard negatives
  train_reader.py train --trunk E5S1.bin --work DIR [--steps 9000]    hours; go on after a kill with the same command
  train_reader.py evaluate --trunk E5S1.bin --work DIR              figures of the checkpoint on held-out articles
  train_reader.py export --trunk E5S1.bin --work DIR --out FOLDER   a checkpoint for quantize-model

Needs Python 3.9 with torch, tokenizers, numpy and safetensors. `--data` is laid out as scripts/reader/sources.py reads it.
"""

import argparse
import pathlib
import pickle
import sys

import torch

from reader import evaluation, negatives, sources, training
from reader.e5s1 import read_e5s1, tokenizer_of
from reader.model import Reader
from reader.text import Pairs


def say(text):
    print(text, flush=True)


def prepare(args):
    file = read_e5s1(args.trunk)
    examples, groups = sources.load(args.data)
    pairs = Pairs(tokenizer_of(file))
    negatives.mine(examples, groups, Reader(file).encoder, pairs, say)
    args.work.mkdir(parents=True, exist_ok=True)
    (args.work / "examples.pickle").write_bytes(pickle.dumps(examples))


def train(args):
    file = read_e5s1(args.trunk)
    examples = pickle.loads((args.work / "examples.pickle").read_bytes())
    run = training.Run(Reader(file), args.work, args.steps)
    training.train(run, examples, Pairs(tokenizer_of(file)), args.threads, say=say)


def evaluate(args):
    file = read_e5s1(args.trunk)
    model = Reader(file)
    step = evaluation.load_average(model, args.work / "checkpoint.pt", not args.full)
    say(f"step {step}, averaged weights")
    evaluation.evaluate(model, pickle.loads((args.work / "examples.pickle").read_bytes()), Pairs(tokenizer_of(file)), say=say)


def export(args):
    from reader import export as writer

    file = read_e5s1(args.trunk)
    model = Reader(file)
    step = evaluation.load_average(model, args.work / "checkpoint.pt", not args.full)
    writer.export(model, file, tokenizer_of(file), args.out)
    say(f"step {step}, averaged weights: {args.out}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["prepare", "train", "evaluate", "export"])
    parser.add_argument("--trunk", required=True, type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--full", action="store_true", help="evaluate, export: in full precision, not rounded to 4 bits")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    return {"prepare": prepare, "train": train, "evaluate": evaluate, "export": export}[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
