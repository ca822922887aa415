#!/usr/bin/env python3
"""Counts the lines of a data folder on which frugal's tokenizer and Hugging Face's differ. Exits with 1 if there are any.

  scripts/compare_tokenizers.py --tool build/release/tests/tokenize [--lines 20000] [--code-points] MODEL FOLDER…

MODEL is a folder with tokenizer.json, a tokenizer.json, a GGUF file or an E5S1 file. FOLDER holds .txt, .md, .tsv, .json and .jsonl
files; JSON strings are compared unescaped. With --code-points, every code point is compared, too, alone and in context.
Needs the Python packages tokenizers and, for GGUF, gguf.
"""

import argparse
import json
import os
import struct
import subprocess
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
MODERN = rf"(?i:{CONTRACTIONS})|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|%s| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTE_LEVEL = {"add_prefix_space": False, "use_regex": True}


def split(number):
    return [pre_tokenizers.Split(Regex(MODERN % number), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


PRE_TOKENIZERS = {
    "gpt-2": [pre_tokenizers.ByteLevel(**BYTE_LEVEL)],
    "smollm": [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(**BYTE_LEVEL)],
    "llama-bpe": split(r"\p{N}{1,3}"),
    "qwen2": split(r"\p{N}"),
}


def from_gguf(path):
    """The tokenizer of a GGUF file's metadata, built with Hugging Face's library."""
    import gguf

    fields = gguf.GGUFReader(path).fields
    get = lambda key: fields["tokenizer.ggml." + key].contents()
    tokens, types, pre = get("tokens"), get("token_type"), get("pre")
    merges = [tuple(rule.split(" ")) for rule in get("merges")]
    model = models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=pre == "llama-bpe")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(PRE_TOKENIZERS[pre])
    tokenizer.decoder = decoders.ByteLevel()
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken(tokens[i], special=True) for i, kind in enumerate(types) if kind == 3])
    tokenizer.add_tokens([AddedToken(tokens[i], normalized=False) for i, kind in enumerate(types) if kind == 4])
    return tokenizer


def unigram(pieces, unk, special):
    """A Unigram tokenizer with the normalisation of SentencePiece."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unk))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, [piece for piece, _ in pieces].index(token)) for token in ("<s>", "</s>")])
    tokenizer.add_special_tokens(special)
    return tokenizer


def from_e5s1(path):
    """The tokenizer of an E5S1 file (lib/model/format/e5s1.cpp), built with Hugging Face's library."""
    with open(path, "rb") as file:
        data = file.read()
    count, bos, eos, pad, unk = struct.unpack_from("<5i", data, 44)
    offsets = struct.unpack_from(f"<{count + 1}I", data, 72)
    scores = struct.unpack_from(f"<{count}f", data, 72 + 4 * (count + 1))
    text = 72 + 4 * (2 * count + 1)
    pieces = [data[text + a : text + b].decode() for a, b in zip(offsets, offsets[1:])]
    return unigram(list(zip(pieces, scores)), unk, [pieces[i] for i in (bos, eos, pad, unk)])


def with_special_tokens_as_text(tokenizer):
    """A copy of a Unigram tokenizer that has no special tokens. Hugging Face's would match their names in a text as pieces even
    when it is told to encode them as text; SentencePiece does not, and neither does frugal."""
    content = json.loads(tokenizer.to_str())
    special = {token["content"] for token in content["added_tokens"] if token["special"]}
    content["added_tokens"] = [token for token in content["added_tokens"] if not token["special"]]
    vocab = content["model"]["vocab"]
    # No normalised text has a line feed.
    content["model"]["vocab"] = [["\n" + piece if piece in special else piece, score] for piece, score in vocab]
    return Tokenizer.from_str(json.dumps(content))


def is_unigram(tokenizer):
    return isinstance(tokenizer.model, models.Unigram)


def load(model):
    if model.endswith(".gguf"):
        return from_gguf(model)
    if os.path.isfile(model):
        with open(model, "rb") as file:
            if file.read(4) == b"E5S1":
                return from_e5s1(model)
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json") if os.path.isdir(model) else model)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_of(item)


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        if path.endswith(".json"):
            yield from strings_of(json.load(file))
            return
        for line in file:
            if path.endswith(".jsonl"):
                yield from strings_of(json.loads(line))
            else:
                yield line.rstrip("\n")


def texts_under(folders):
    for folder in folders:
        for parent, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                if name.endswith((".txt", ".md", ".tsv", ".json", ".jsonl")):
                    yield from (line for line in lines_of(os.path.join(parent, name)) if line)


def sample(texts, count):
    """A sample of lines, spread evenly over all files, without duplicates."""
    unique = list(dict.fromkeys(texts))
    return unique[:: max(1, len(unique) // count)][:count] if count < len(unique) else unique


def code_point_texts():
    points = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    contexts = ["{}", "a{}b", " {} ", "A\u0301{}\u0327 1{}2", "'{}\u0345\u0316x{}"]
    for start in range(0, len(points), 16):
        for context in contexts:
            yield " z ".join(context.replace("{}", c) for c in points[start : start + 16])


def ours(tool, model, texts, *flags):
    stdin = b"".join(text.encode() + b"\0" for text in texts)
    return subprocess.run([tool, model, *flags], input=stdin, stdout=subprocess.PIPE, check=True).stdout


def count_differences(tool, model, reference, texts, parse_special):
    if is_unigram(reference) and not parse_special:
        reference = with_special_tokens_as_text(reference)
    reference.encode_special_tokens = not parse_special
    lines = ours(tool, model, texts, *([] if parse_special else ["--plain"])).decode().split("\n")
    differing = 0
    for start in range(0, len(texts), 1000):
        encodings = reference.encode_batch(texts[start : start + 1000], add_special_tokens=False)
        for text, encoding, line in zip(texts[start:], encodings, lines[start:]):
            if encoding.ids != [int(x) for x in line.split()]:
                differing += 1
                if differing <= 5:
                    print(f"differs: {text[:200]!r}\n  theirs {encoding.ids[:40]}\n  ours   {line[:200]}")
    return differing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--lines", type=int, default=20000)
    parser.add_argument("--code-points", action="store_true")
    parser.add_argument("model")
    parser.add_argument("folders", nargs="*")
    arguments = parser.parse_args()
    reference = load(arguments.model)
    sets = [(f"{arguments.lines} lines", [t for t in sample(texts_under(arguments.folders), arguments.lines) if "\0" not in t])]
    if arguments.code_points:
        sets.append(("code points", list(code_point_texts())))
    total = 0
    for name, texts in sets:
        for parse_special in (False, True):
            differing = count_differences(arguments.tool, arguments.model, reference, texts, parse_special)
            total += differing
            kind = "special tokens parsed" if parse_special else "special tokens as text"
            print(f"{name}, {kind}: {differing} of {len(texts)} differ (tokenizers {tokenizers.__version__})")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
