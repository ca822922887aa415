#!/usr/bin/env python3
"""Trains the reader: one small model that ranks passages for a question and finds the answer in them, in Portuguese and English.

  train_reader.py prepare --trunk E5S1.bin --data DIR --work DIR [--words-only]    examples with hard negatives
  train_reader.py train --trunk E5S1.bin --data DIR --work DIR [--steps N] [--start PACK --first-step N]
                                       hours; go on after a kill with the same command; from a pack's weights with --start
  train_reader.py evaluate --trunk E5S1.bin --work DIR              figures of the checkpoint on held-out articles
  train_reader.py export --trunk E5S1.bin --work DIR --out FOLDER [--start PACK]
                                       a checkpoint for quantize-model; of a pack's weights with --start
  train_reader.py calibrate --work DIR --data DIR --bin build/release/bin --reader PACK --embedder PACK
                                       the confidence of its answers, on held-out articles; then export again

Needs Python 3.9 with torch, tokenizers, numpy and safetensors. `--data` is laid out as scripts/reader/sources.py reads it.
"""

import argparse
import json
import pathlib
import pickle
import sys

import torch

from reader import calibration, evaluation, negatives, sources, switching, training
from reader.e5s1 import read_e5s1, tokenizer_of
from reader.model import Reader
from reader.pack import load_pack
from reader.text import Pairs


def say(text):
    print(text, flush=True)


def prepare(args):
    file = read_e5s1(args.trunk)
    examples, groups = sources.load(args.data)
    pairs = Pairs(tokenizer_of(file))
    negatives.mine(examples, groups, None if args.words_only else Reader(file).encoder, pairs, say)
    args.work.mkdir(parents=True, exist_ok=True)
    (args.work / "examples.pickle").write_bytes(pickle.dumps(examples))


def train(args):
    file = read_e5s1(args.trunk)
    examples = pickle.loads((args.work / "examples.pickle").read_bytes())
    model = Reader(file)
    if args.start:
        load_pack(model, args.start)
    run = training.Run(model, args.work, args.steps, args.first_step)
    words = switching.dictionary(args.data / "parallel-en-pt")
    training.train(run, examples, words, Pairs(tokenizer_of(file)), args.threads, say=say)


def evaluate(args):
    file = read_e5s1(args.trunk)
    model = Reader(file)
    step = evaluation.load_average(model, args.work / "checkpoint.pt")
    say(f"step {step}, averaged weights")
    evaluation.evaluate(model, pickle.loads((args.work / "examples.pickle").read_bytes()), Pairs(tokenizer_of(file)), say=say)


def export(args):
    from reader import export as writer

    file = read_e5s1(args.trunk)
    model = Reader(file)
    if args.start:
        load_pack(model, args.start)
        weights = f"those of {args.start}"
    else:
        weights = f"averaged at step {evaluation.load_average(model, args.work / 'checkpoint.pt')}"
    confidence = args.work / "confidence.json"
    writer.export(model, file, tokenizer_of(file), args.out, json.loads(confidence.read_text()) if confidence.exists() else None)
    say(f"{args.out}: weights {weights}")


def calibrate(args):
    folder = args.work / "calibration"
    calibration.write_sets(*sources.load(args.data), folder)
    rows = list(calibration.ask(folder, args.bin, args.reader, args.embedder, say))
    heads = {"confidence": calibration.fit(rows), "confidence_without_contrast": calibration.fit(calibration.without_contrast(rows))}
    (args.work / "confidence.json").write_text(json.dumps(heads) + "\n")
    for name, coefficients in heads.items():
        say(f"{name}, {len(rows)} answers: {dict(zip((*calibration.FEATURES, 'intercept'), (round(c, 3) for c in coefficients)))}")
        calibration.report(rows, coefficients, say)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["prepare", "train", "evaluate", "export", "calibrate"])
    parser.add_argument("--trunk", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path)
    parser.add_argument("--reader", type=pathlib.Path)
    parser.add_argument("--embedder", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--words-only", action="store_true")
    parser.add_argument("--start", type=pathlib.Path)
    parser.add_argument("--first-step", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    return {"prepare": prepare, "train": train, "evaluate": evaluate, "export": export, "calibrate": calibrate}[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
