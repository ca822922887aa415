#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets: small valid files of every format, from tests/golden, configs and our own tools.

A fuzzer that starts with a valid file reaches the code behind the first checks, which random bytes rarely do. scripts/fuzz runs
this script; it writes a folder for each target below --out.
"""

import argparse
import pathlib
import shutil
import struct
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden"

# The kinds of tests/fuzz/extract_fuzz.cpp, in its order, each with a file of its own.
FILES_TO_EXTRACT = {
    "text": "A title\n\nArt. 5º Todos são iguais. § 1º Sem distinção; inciso IV.\r\n\r\nIt ends here.\n",
    "markdown": "# One\n\nA paragraph. Another sentence.\n\n## Two\n\n- an item\n\n```\ncode\n```\n",
    "html": "<!doctype html><title>T&amp;U</title><meta charset=utf-8><h1>One</h1><p>a<b>b</b>&#233;<script>x</script>"
            "<ul><li>i<li>j</ul><table><tr><td>1<td>2</table>",
    "csv": 'id\ttitle\ttext\n1\tOne\t"a ""quoted""\nline"\n2\tTwo\tplain\n',
    "jsonl": '{"_id": "1", "title": "One", "text": "a\\u00e9\\n\\"b\\"", "other": [1, {"x": null}]}\n\n{"text": "two"}\n',
    "eml": "Subject: =?utf-8?Q?caf=C3=A9?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html; charset=koi8-r\n"
           "Content-Transfer-Encoding: base64\n\nPHA+8NLJ18XUPC9wPg==\n--b\nContent-Type: image/png; name*0*=utf-8''a%20;\n\n--b--\n",
    "mbox": "From a@x Tue\nMessage-ID: <1@x>\nSubject: s\nContent-Transfer-Encoding: quoted-printable\n\na=\nb=C3=A9\n>From x\n\n"
            "From b@x Wed\nSubject: t\n\nNext\n",
}


def blobs_of(pack):
    """The blobs of a pack, by name (docs/pack-format.md)."""
    data = pack.read_bytes()
    tensors, config, blobs, _, metadata_bytes = struct.unpack_from("<IIIQQ", data, 12)
    table = 64 + 96 * tensors + 16 * config
    strings = table + 32 * blobs
    found = {}
    for i in range(blobs):
        name, length, offset, size, _ = struct.unpack_from("<IIQQQ", data, table + 32 * i)
        found[data[strings + name:strings + name + length].decode()] = data[offset:offset + size]
    return found


class Seeds:
    def __init__(self, tools, out, scratch):
        self.tools, self.out, self.scratch = tools, out, scratch

    def write(self, target, name, data):
        folder = self.out / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    def copy(self, target, *paths):
        for path in paths:
            self.write(target, "-".join(path.relative_to(ROOT).parts), path.read_bytes())

    def tool(self, name, *arguments):
        command = [self.tools / name, *arguments]
        return subprocess.run(command, cwd=self.scratch, stdout=subprocess.PIPE, check=True).stdout

    def packs(self):
        for model in ("bert", "llama", "llama-gguf/model.gguf"):
            for dtype in ("int8", "int4"):
                pack = self.scratch / f"{model.split('/')[0]}-{dtype}.pack"
                self.tool("quantize-model", GOLDEN / model, "-o", pack, "--dtype", dtype)
                self.write("pack", pack.name, pack.read_bytes())
                self.write("tokenizer", pack.stem, blobs_of(pack)["tokenizer"])

    def files(self):
        self.copy("checkpoint", *GOLDEN.glob("*/*.safetensors"), *GOLDEN.glob("*/*.gguf"))
        self.copy("pytorch", *(GOLDEN / "pytorch").glob("*.pt"), *(GOLDEN / "pytorch").glob("*.bin"))
        self.copy("image", *(GOLDEN / "vision/images").iterdir(), *(GOLDEN / "vision").glob("*clip*.json"), *(GOLDEN / "vision").glob("*qwen*.json"))
        self.copy("tokenizer_json", *GOLDEN.glob("tokenizer/*.tokenizer.json"), *GOLDEN.glob("*/vocab.txt"))
        self.copy("sentencepiece", *GOLDEN.glob("tokenizer/*.model"))
        self.copy("yaml", *(ROOT / "configs").rglob("*.yaml"))
        for kind, text in enumerate(FILES_TO_EXTRACT.values()):
            self.write("extract", list(FILES_TO_EXTRACT)[kind], bytes([kind]) + text.encode())

    def index_and_answer(self):
        (self.scratch / "docs").mkdir()
        for kind, suffix in (("text", "txt"), ("markdown", "md"), ("csv", "tsv")):
            (self.scratch / "docs" / f"{kind}.{suffix}").write_text(FILES_TO_EXTRACT[kind])
        embedder = f"models.embedder={self.scratch / 'bert-int8.pack'}"
        for name, flags in (("vectors", ["--set", embedder]), ("words", ["--no-embed"])):
            self.tool("rag-index", "add", "docs", "--index", name, *flags)
            database = (self.scratch / name / "index.sqlite").read_bytes()
            vectors = b"".join(path.read_bytes() for path in (self.scratch / name).glob("vectors-*"))
            self.write("index", name, struct.pack("<I", len(database)) + database + vectors)
        answer = self.tool("rag-query", "what is a paragraph?", "--index", "words", "--no-dense", "--no-cache", "--answer", "extract",
                           "--set", "answer.abstain_below=0", "--format", "json")
        self.write("answer", "one", answer)
        self.write("answer", "two-lines", 2 * answer)


def main():
    parser = argparse.ArgumentParser(prog="make_fuzz_seeds.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="the folder of quantize-model, rag-index and rag-query")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="a folder that is made anew")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        seeds = Seeds(args.tools.resolve(), args.out, pathlib.Path(scratch))
        seeds.packs()
        seeds.files()
        seeds.index_and_answer()


if __name__ == "__main__":
    main()
