#!/usr/bin/env python3
"""Compares the token weights and the late interaction of rag-query with transformers, on the tiny BGE-M3 of tests/golden.

  compare_bge_m3.py [--build build/release]

Packs the checkpoint in fp32, indexes random texts, and asks questions. Expected scores are those of FlagEmbedding's formulas on the
states of transformers: the inner product of the token weights, and the mean over the question's tokens of the highest cosine with
a token of the passage. Prints the largest relative difference of both; exit code 1 if it exceeds 1e-3, or a ranking differs by
more than a swap of scores that are equal up to the rounding of the stored weights.
Needs torch, transformers.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
from transformers import AutoTokenizer, XLMRobertaModel

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden/bge-m3"
TOLERANCE = 1e-3
MAX_TOKENS = 64


class Oracle:
    def __init__(self):
        self.tokenizer = AutoTokenizer.from_pretrained(GOLDEN)
        self.model = XLMRobertaModel.from_pretrained(GOLDEN, add_pooling_layer=False, attn_implementation="eager").eval()
        self.sparse, self.colbert = (torch.load(GOLDEN / f"{name}_linear.pt", weights_only=True) for name in ("sparse", "colbert"))
        t = self.tokenizer
        self.unused = {t.cls_token_id, t.eos_token_id, t.pad_token_id, t.unk_token_id}

    def embed(self, text):
        """{token: weight}, and the unit vectors of all tokens but the first."""
        x = self.tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            hidden = self.model(**x).last_hidden_state[0]
            weights = torch.relu(hidden @ self.sparse["weight"].T + self.sparse["bias"])[:, 0].tolist()
            vectors = torch.nn.functional.normalize(hidden[1:] @ self.colbert["weight"].T + self.colbert["bias"], dim=-1)
        best = {}
        for token, weight in zip(x["input_ids"][0].tolist(), weights):
            if token not in self.unused and weight > best.get(token, 0):
                best[token] = weight
        return best, vectors

    @staticmethod
    def lexical(a, b):
        return sum(weight * b[token] for token, weight in a.items() if token in b)

    @staticmethod
    def max_sim(question, passage):
        return (question @ passage.T).max(dim=-1).values.mean().item()


def random_texts(count, seed):
    words = "law court article ships harbour the of answer question book master answered passage says who what".split()
    rng = random.Random(seed)
    return [" ".join(rng.choice(words) for _ in range(rng.randint(1, 12))) for _ in range(count)]


def hits_of(tools, pack, index, question, cache):
    command = [tools / "rag-query", question, "--index", index, "--embedder", pack, "--format", "json", "--answer", "none", "--top-k", "1000",
               "--candidates", "1000", "--maxsim", "1000", "--no-sparse", "--set", "hyde.mode=never", *cache]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["hits"]


def differences(hits, known, expected_lexical, expected_max_sim):
    """The largest relative differences, and whether both rankings are the expected ones."""
    lexical = {hit["record"]: hit["learned_score"] for hit in hits if "learned_rank" in hit}
    assert set(lexical) == {i for i in known if expected_lexical[i] > 0}, "other chunks than those that share a token"
    worst_lexical = max(abs(lexical[i] - expected_lexical[i]) / expected_lexical[i] for i in lexical)
    worst_max_sim = max(abs(hit["maxsim_score"] - expected_max_sim[hit["record"]]) / abs(expected_max_sim[hit["record"]]) for hit in hits)
    by_rank = [hit["record"] for hit in sorted((h for h in hits if "learned_rank" in h), key=lambda h: h["learned_rank"])]
    same = is_ranked(by_rank, expected_lexical, 2 ** -11) and is_ranked([hit["record"] for hit in hits], expected_max_sim, 5e-6)
    return worst_lexical, worst_max_sim, same


def is_ranked(order, scores, tolerance):
    """True if scores descend. Those within the tolerance may stand in any order: weights are stored in 16 bits, and sums are rounded."""
    return all(scores[a] >= scores[b] - tolerance * abs(scores[b]) for a, b in zip(order, order[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    tools = (parser.parse_args().build / "bin").resolve()
    oracle, questions = Oracle(), random_texts(12, 2)
    # Of one chunk each: a text of more tokens is cut in two.
    texts = sorted(text for text in set(random_texts(400, 1)) if len(oracle.tokenizer(text)["input_ids"]) < MAX_TOKENS * 3 // 4)
    embedded = {str(i): oracle.embed(text) for i, text in enumerate(texts)}
    worst, all_same = [0.0, 0.0], True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pack, index, corpus = folder / "m3.pack", folder / "index", folder / "corpus.jsonl"
        corpus.write_text("".join(json.dumps({"_id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
        subprocess.run([tools / "quantize-model", GOLDEN, "-o", pack, "--dtype", "fp32"], check=True, capture_output=True)
        subprocess.run([tools / "rag-index", "add", corpus, "--index", index, "--embedder", pack], check=True, capture_output=True)
        for question in questions:
            weights, vectors = oracle.embed(question)
            lexical = {i: oracle.lexical(weights, known) for i, (known, _) in embedded.items()}
            max_sim = {i: oracle.max_sim(vectors, known) for i, (_, known) in embedded.items()}
            for cache in (["--no-cache"], [], []):  # computed, stored, found
                a, b, same = differences(hits_of(tools, pack, index, question, cache), embedded, lexical, max_sim)
                worst, all_same = [max(worst[0], a), max(worst[1], b)], all_same and same
    print(f"{len(questions)} questions of {len(texts)} texts: token weights differ by at most {worst[0]:.1e}, MaxSim by {worst[1]:.1e}; "
          f"rankings are {'the same' if all_same else 'different'}")
    return 0 if all_same and max(worst) <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
