#!/usr/bin/env python3
"""Writes some 750 hostile PyTorch files for scripts/torture-pickles, the same ones each time.

  make_hostile_pickles.py FOLDER [--golden FILE]

Each is a zip archive in the form of torch.save with a hostile data.pkl: calls of os.system and similar functions by every opcode that
calls or builds something, names that look like allowed ones, persistent ids with other targets, decompression bombs, deep nesting,
truncation, wrong types for every opcode, tensors outside their storage, archives with wrong headers. manifest.tsv lists file, class and
expectation: the reader must reject "refused" files; it may also read "any" files (random damage to FILE, by default
tests/golden/pytorch/pytorch_model.bin). "live" files create the file "canary" in the working folder if Python's own pickle module loads
them. Needs python3 only, not torch.
"""
import argparse
import pathlib
import random
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = "touch canary"
SIX_FLOATS = struct.pack("<6f", 1, 2, 3, 4, 5, 6)


# --- pickles, opcode by opcode ---

def text(value):
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def items(*values):
    return b"(" + b"".join(values) + b"t"


def integers(values):
    return items(*map(integer, values))


def global_line(module, name):
    as_bytes = lambda s: s if isinstance(s, bytes) else s.encode("utf-8", "surrogatepass")
    return b"c" + as_bytes(module) + b"\n" + as_bytes(name) + b"\n"


def stack_global(module, name):
    return text(module) + text(name) + b"\x93"


ORDERED_DICT = global_line("collections", "OrderedDict") + b")R"
SYSTEM = global_line("posix", "system")


def storage(kind="FloatStorage", key="0", elements=6):
    return items(text("storage"), global_line("torch", kind), text(key), text("cpu"), integer(elements)) + b"Q"


def tensor_of(*arguments):
    return global_line("torch._utils", "_rebuild_tensor_v2") + items(*arguments) + b"R"


def tensor(source=None, offset=0, sizes=(2, 3), strides=(3, 1)):
    return tensor_of(source or storage(), integer(offset), integers(sizes), integers(strides), b"\x89", ORDERED_DICT)


def state_dict(value=None, key=None):
    return b"}" + (key or text("w")) + (value or tensor()) + b"s"


def program(value, protocol=2):
    return bytes([0x80, protocol]) + value + b"."


# --- archives, field by field ---

def archive(pickle, extra=(), end=b"", **lies):
    """A zip of stored entries. `lies` replaces header fields: flags, method, name (local), count, at (offset), size (directory)."""
    entries = [("m/data.pkl", pickle), ("m/byteorder", b"little"), ("m/data/0", SIX_FLOATS), *extra]
    body = directory = b""
    for name, data in entries:
        raw = name.encode()
        fields = struct.pack("<HHIIII", lies.get("flags", 0), lies.get("method", 0), 0, zlib.crc32(data),
                             lies.get("stored", len(data)), len(data))
        directory += struct.pack("<IHH", 0x02014B50, 20, 20) + fields + struct.pack(
            "<HHHHHII", len(raw), 0, 0, 0, 0, 0, len(body) + lies.get("at", 0)) + raw
        local = lies.get("name", name).encode()
        body += struct.pack("<IH", 0x04034B50, 20) + fields + struct.pack("<HH", len(local), 0) + local + data
    count = len(entries) + lies.get("count", 0)
    tail = struct.pack("<IHHHHIIH", 0x06054B50, lies.get("disk", 0), 0, count & 0xFFFF, count & 0xFFFF,
                       (len(directory) + lies.get("size", 0)) & 0xFFFFFFFF, (len(body) + lies.get("begin", 0)) & 0xFFFFFFFF, len(end))
    return body + directory + lies.get("between", b"") + tail + end


def wrap(value):
    return archive(program(value))


# --- the classes ---

CALLS = [("os", "system"), ("posix", "system"), ("nt", "system"), ("os", "popen"), ("os", "execv"), ("os", "remove"), ("pty", "spawn"),
         ("subprocess", "Popen"), ("subprocess", "call"), ("subprocess", "check_output"), ("subprocess", "run"), ("subprocess", "getoutput"),
         ("builtins", "eval"), ("builtins", "exec"), ("builtins", "compile"), ("builtins", "__import__"), ("builtins", "getattr"),
         ("builtins", "open"), ("builtins", "print"), ("builtins", "breakpoint"), ("__builtin__", "eval"), ("__builtin__", "execfile"),
         ("__main__", "Model"), ("socket", "socket"), ("socket", "create_connection"), ("urllib.request", "urlopen"), ("http.client",
         "HTTPConnection"), ("importlib", "import_module"), ("runpy", "run_path"), ("ctypes", "CDLL"), ("shutil", "rmtree"), ("webbrowser",
         "open"), ("code", "interact"), ("timeit", "timeit"), ("cProfile", "run"), ("pdb", "run"), ("types", "CodeType"), ("types",
         "FunctionType"), ("marshal", "loads"), ("pickle", "loads"), ("_pickle", "loads"), ("functools", "partial"), ("operator",
         "methodcaller"), ("operator", "attrgetter"), ("copyreg", "_reconstructor"), ("copyreg", "__newobj__"), ("collections", "defaultdict"),
         ("collections", "Counter"), ("torch", "load"), ("torch.hub", "load"), ("torch.jit", "load"), ("torch", "Tensor"), ("torch", "Size"),
         ("torch.storage", "_load_from_bytes"), ("torch.storage", "UntypedStorage"), ("torch", "ShortStorage"), ("torch._utils",
         "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v3"), ("torch._utils", "_rebuild_parameter_with_state"), ("torch._tensor",
         "_rebuild_from_type_v2"), ("torch.nn.parameter", "Parameter"), ("numpy.core.multiarray", "_reconstruct"), ("numpy", "load")]

# Arguments with which Python would make the canary.
LIVE = {("os", "system"): [COMMAND], ("posix", "system"): [COMMAND], ("subprocess", "getoutput"): [COMMAND],
        ("builtins", "eval"): ["__import__('os').system('%s')" % COMMAND], ("builtins", "exec"): ["import os; os.system('%s')" % COMMAND],
        ("__builtin__", "eval"): ["__import__('os').system('%s')" % COMMAND], ("timeit", "timeit"): ["pass", "open('canary', 'w')"],
        ("cProfile", "run"): ["open('canary', 'w')"], ("builtins", "open"): ["canary", "w"]}


def calls():
    for module, name in CALLS:
        arguments = items(*map(text, LIVE.get((module, name), [COMMAND])))
        live = " live" if (module, name) in LIVE else ""
        for form in (global_line, stack_global):
            yield f"{form.__name__}-{module}.{name}", wrap(state_dict(form(module, name) + arguments + b"R")), "refused" + live


def nested_calls():
    run = SYSTEM + items(text(COMMAND)) + b"R"
    getter = global_line("builtins", "getattr") + items(global_line("builtins", "__import__") + items(text("os")) + b"R", text("system")) + b"R"
    yield "as-argument-of-ordered-dict", wrap(global_line("collections", "OrderedDict") + items(run) + b"R"), "refused live"
    yield "getattr-import", wrap(getter + items(text(COMMAND)) + b"R"), "refused live"
    yield "as-tensor-offset", wrap(state_dict(tensor_of(storage(), run, integers([6]), integers([1]), b"\x89", ORDERED_DICT))), "refused"
    yield "as-hooks", wrap(state_dict(tensor_of(storage(), integer(0), integers([6]), integers([1]), b"\x89", run))), "refused"
    yield "as-key", wrap(state_dict(key=run)), "refused"
    yield "popped", wrap(run + b"0" + state_dict()), "refused live"
    yield "popped-to-mark", wrap(b"(" + run + b"1" + state_dict()), "refused live"
    yield "from-memo", wrap(SYSTEM + b"q\x00" + b"0" + state_dict(b"h\x00" + items(text(COMMAND)) + b"R")), "refused"
    yield "metadata", wrap(ORDERED_DICT + b"}" + text("_metadata") + run + b"sb"), "refused live"
    yield "after-stop", archive(program(state_dict()) + run + b"."), "refused"
    for protocol in (3, 4, 5):
        yield f"protocol-{protocol}", archive(program(stack_global("posix", "system") + items(text(COMMAND)) + b"R", protocol)), "refused live"
    framed = stack_global("posix", "system") + items(text(COMMAND)) + b"R."
    yield "in-a-frame", archive(b"\x80\x04\x95" + struct.pack("<Q", len(framed)) + framed), "refused live"


def builders():
    argument = text(COMMAND)
    yield "INST", wrap(b"(" + argument + b"iposix\nsystem\n"), "refused live"
    yield "OBJ", wrap(b"(" + global_line("subprocess", "Popen") + argument + b"o"), "refused"
    for code, name in ((b"\x81", "NEWOBJ"), (b"\x92", "NEWOBJ_EX")):
        for module, kind in (("subprocess", "Popen"), ("collections", "OrderedDict"), ("torch", "FloatStorage"), ("builtins", "bytearray")):
            yield f"{name}-{kind}", wrap(global_line(module, kind) + b")" + (b"}" if name.endswith("EX") else b"") + code), "refused"
    for code, width in ((b"\x82", "B"), (b"\x83", "<H"), (b"\x84", "<i")):
        for number in (1, 0x7F, -1 if width == "<i" else 0):
            yield f"EXT{struct.calcsize(width)}-{number}", wrap(code + struct.pack(width, number)), "refused"
    yield "PERSID-text", wrap(b"Pstorage\n"), "refused"
    yield "GET-text", wrap(b"g0\n"), "refused"
    yield "PUT-text", wrap(b"}p0\n"), "refused"
    yield "INT-text", wrap(b"I1\n"), "refused"
    yield "LONG-text", wrap(b"L1L\n"), "refused"
    yield "FLOAT-text", wrap(b"F1\n"), "refused"
    yield "STRING-text", wrap(b"S'x'\n"), "refused"
    yield "UNICODE-text", wrap(b"Vx\n"), "refused"
    yield "NEXT_BUFFER", archive(program(b"\x97", 5)), "refused"
    yield "READONLY_BUFFER", archive(program(b"\x97\x98", 5)), "refused"
    yield "EMPTY_SET", wrap(b"\x8f"), "refused"
    yield "ADDITEMS", wrap(b"(\x90"), "refused"
    yield "FROZENSET", wrap(b"(\x91"), "refused"
    yield "DICT", wrap(b"(" + text("w") + tensor() + b"d"), "refused"
    yield "LIST", wrap(b"(l"), "refused"
    yield "DUP", wrap(b"N2"), "refused"
    for code in (0x00, 0x0A, 0x20, 0x7F, 0x96, 0x99, 0xC0, 0xFF):
        yield f"opcode-{code:02x}", wrap(bytes([code])), "refused"


def builds():
    def state(key, value=b"N"):
        return b"}" + text(key) + value + b"s"
    for key in ("__setstate__", "__reduce__", "__reduce_ex__", "__class__", "__dict__", "__init__", "__getattr__", "update", "", "_metadata\0"):
        yield f"sets-{key.strip(chr(0)) or 'nothing'}-{len(key)}", wrap(ORDERED_DICT + state(key) + b"b"), "refused"
    yield "two-attributes", wrap(ORDERED_DICT + b"}" + text("_metadata") + b"}s" + text("keys") + b"Nsb"), "refused"
    yield "integer-attribute", wrap(ORDERED_DICT + b"}" + integer(1) + b"Nsb"), "refused"
    for name, target in (("dict", b"}"), ("list", b"]"), ("tensor", tensor()), ("storage", storage()), ("none", b"N"), ("tuple", b")"),
                         ("name", global_line("collections", "OrderedDict"))):
        yield f"of-{name}", wrap(target + state("_metadata") + b"b"), "refused"
    for name, with_ in (("none", b"N"), ("tuple", b"N}\x86"), ("text", text("x")), ("ordered", ORDERED_DICT), ("tensor", tensor())):
        yield f"with-{name}", wrap(ORDERED_DICT + with_ + b"b"), "refused"


def persistent_ids():
    kind, cpu = global_line("torch", "FloatStorage"), text("cpu")
    ids = {
        "integer": integer(0), "text": text("0"), "none": b"N", "dict": b"}", "empty": b")", "list": b"]", "tensor": tensor(), "storage": storage(),
        "four": items(text("storage"), kind, text("0"), cpu), "six": items(text("storage"), kind, text("0"), cpu, integer(6), b"N"),
        "module": items(text("module"), kind, text("0"), cpu, integer(6)), "no-name": items(b"N", kind, text("0"), cpu, integer(6)),
        "type-text": items(text("storage"), text("FloatStorage"), text("0"), cpu, integer(6)),
        "type-function": items(text("storage"), global_line("torch._utils", "_rebuild_tensor_v2"), text("0"), cpu, integer(6)),
        "type-class": items(text("storage"), global_line("collections", "OrderedDict"), text("0"), cpu, integer(6)),
        "type-system": items(text("storage"), SYSTEM, text("0"), cpu, integer(6)),
        "key-integer": items(text("storage"), kind, integer(0), cpu, integer(6)), "key-none": items(text("storage"), kind, b"N", cpu, integer(6)),
        "location-tuple": items(text("storage"), kind, text("0"), b")", integer(6)),
        "elements-text": items(text("storage"), kind, text("0"), cpu, text("6")),
        "elements-float": items(text("storage"), kind, text("0"), cpu, b"G" + struct.pack(">d", 6)),
        "elements-true": items(text("storage"), kind, text("0"), cpu, b"\x88"),
        "view": items(text("storage"), kind, text("0"), cpu, integer(6), items(text("0"), integer(0), integer(6))),
    }
    for name, value in ids.items():
        yield f"id-{name}", wrap(state_dict(tensor(value + b"Q"))), "refused"
    keys = ["", "1", "00", "0 ", "0\0", "0\0x", "../data.pkl", "../data/0", "./0", "0/../0", "/etc/passwd", "../../../../etc/passwd", "..\\0", "C:\\0", "~/0",
            "file:///etc/passwd", "http://localhost/0", "$(touch canary)", "`touch canary`", "|touch canary", "%s%n", "０", "x" * 5000, "-1",
            "data/0", "m/data/0", "\u202e0", "\ud800"]
    for number, key in enumerate(keys):
        yield f"key-{number}", wrap(state_dict(tensor(storage(key=key)))), "refused"
    for elements in (-1, 0, 5, 7, 24, 2**31, 2**32 + 6, 2**62, 2**62 + 6, 2**63 - 1, -2**63):
        yield f"elements-{elements}", wrap(state_dict(tensor(storage(elements=elements)))), "refused"
    yield "other-width", wrap(state_dict(tensor(storage("DoubleStorage")))), "refused"
    yield "the-pickle-as-storage", wrap(state_dict(tensor(storage("ByteStorage", "../data.pkl", 100), 0, (100,), (1,)))), "refused"


def tensors():
    shapes = {
        "past-end": (1, (6,), (1,)), "far": (2**62, (1,), (1,)), "negative": (-1, (6,), (1,)), "farthest": (2**63 - 1, (6,), (1,)),
        "long": (0, (7,), (1,)), "huge": (0, (2**62,), (1,)), "wraps": (0, (2**32, 2**32), (2**32, 1)), "wraps-thrice": (0, (2**31, 2**31, 4), (2**33, 4, 1)),
        "zero": (0, (0,), (1,)), "zero-of-huge": (0, (0, 2**62), (2**62, 1)), "minus": (0, (-6,), (1,)), "two-minus": (0, (-2, -3), (-3, 1)),
        "least": (0, (-2**63,), (1,)), "transposed": (0, (3, 2), (1, 3)), "step": (0, (3,), (2,)), "expanded": (0, (6,), (0,)),
        "backwards": (5, (6,), (-1,)), "far-stride": (0, (2, 3), (2**62, 1)), "five": (0, (1, 1, 1, 1, 6), (6, 6, 6, 6, 1)),
        "sixty-five": (0, (1,) * 65, (1,) * 65), "sizes-only": (0, (6,), ()), "strides-only": (0, (), (1,)), "thousands": (0, (1,) * 5000, (1,) * 5000),
    }
    for name, (offset, sizes, strides) in shapes.items():
        yield name, wrap(state_dict(tensor(None, offset, sizes, strides))), "refused"
    good = [storage(), integer(0), integers([6]), integers([1]), b"\x89", ORDERED_DICT]
    for position in range(6):
        for name, wrong in (("none", b"N"), ("text", text("x")), ("list", b"]"), ("tensor", tensor())):
            yield f"argument-{position}-{name}", wrap(state_dict(tensor_of(*good[:position], wrong, *good[position + 1:]))), "refused"
    for count in (0, 1, 5):
        yield f"{count}-arguments", wrap(state_dict(tensor_of(*good[:count]))), "refused"
    yield "seven-arguments", wrap(state_dict(tensor_of(*good, b"}"))), "refused"
    yield "sizes-of-texts", wrap(state_dict(tensor_of(*good[:2], items(text("6")), *good[3:]))), "refused"
    yield "strides-of-tuples", wrap(state_dict(tensor_of(*good[:3], items(b")"), *good[4:]))), "refused"
    yield "hooks", wrap(state_dict(tensor_of(*good[:5], ORDERED_DICT + text("h") + b"Ns"))), "refused"
    for name, arguments in (("none", items()), ("text", items(text("x"), b"\x88", ORDERED_DICT)), ("two", items(tensor(), b"\x88"))):
        yield f"parameter-of-{name}", wrap(state_dict(global_line("torch._utils", "_rebuild_parameter") + arguments + b"R")), "refused"
    for number, name in enumerate(("", "a\nb", "a\0b", "\x1b[2J", "n" * 513, "\x7f")):
        yield f"name-{number}", wrap(state_dict(key=text(name))), "refused"
    yield "name-not-utf8", wrap(state_dict(key=text(b"\xff\xfe"))), "refused"
    yield "name-twice", wrap(b"}(" + (text("w") + tensor()) * 2 + b"u"), "refused"
    for name, root in (("none", b"N"), ("integer", integer(1)), ("list", b"]"), ("tensor", tensor()), ("empty", b"}"), ("name", global_line("torch", "LongStorage"))):
        yield f"root-{name}", wrap(root), "refused"
    yield "two-models", wrap(b"}(" + text("model") + state_dict() + text("state_dict") + state_dict() + b"u"), "refused"


def bombs():
    laughs = b"]q\x00(" + b"N" * 10 + b"e" + b"".join(b"(" + b"h" + bytes([i]) + (b"h" + bytes([i])) * 9 + b"tq" + bytes([i + 1]) for i in range(200))
    yield "billion-laughs", wrap(laughs), "refused"
    yield "growing-list", wrap(b"]q\x00" + (b"(" + b"h\x00" * 1000 + b"e") * 3000), "refused"
    yield "growing-dict", wrap(b"}q\x00" + (b"(" + b"K\x01h\x00" * 500 + b"u") * 4000), "refused"
    yield "list-in-itself", wrap(b"]q\x00h\x00a"), "refused"
    yield "dict-in-itself", wrap(b"}q\x00K\x01h\x00s"), "refused"
    yield "model-in-itself", wrap(b"}q\x00" + text("model") + b"h\x00s"), "refused"
    yield "tuple-in-its-list", wrap(b"]q\x00\x85q\x01h\x00h\x01a"), "refused"
    for index in (2**20, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"memo-put-{index}", wrap(b"}r" + struct.pack("<I", index)), "refused"
        yield f"memo-get-{index}", wrap(b"}0j" + struct.pack("<I", index)), "refused"
    yield "memo-get-unset", wrap(b"}q\x05h\x04"), "refused"
    yield "memo-put-of-nothing", wrap(b"q\x00"), "refused"
    yield "memoize-without-end", archive(program(b"}" + b"\x94" * 2_000_000, 4)), "refused"
    yield "stack-without-end", wrap(b"N" * 3_000_000), "refused"
    yield "containers-without-end", wrap(b"]0" * 2_000_000), "refused"
    yield "tensors-without-end", wrap(tensor() + b"q\x000" + (global_line("torch._utils", "_rebuild_tensor_v2") + b"q\x01" + items(
        storage() + b"q\x02", integer(0), integers([6]), integers([1]), b"\x89", ORDERED_DICT) + b"q\x030") + b"h\x01h\x03R0" * 500_000), "refused"
    yield "storages-without-end", wrap(items(text("storage"), global_line("torch", "FloatStorage"), text("0"), text("cpu"), integer(6)) +
                                       b"q\x00" + b"Q0h\x00" * 500_000), "refused"
    yield "one-tensor-many-names", wrap(b"}" + tensor() + b"q\x000" + (b"(" + text("w") + b"q\x01h\x00" + b"h\x01h\x00" * 15_000 + b"u") * 60), "refused"
    dull = b"}q\x00" + b"(" + b"K\x01N" * 30_000 + b"u" + b"0"
    yield "one-key-many-times", wrap(dull + b"}" + (b"(" + text("model") + b"q\x01h\x00" + b"h\x01h\x00" * 15_000 + b"u") * 60), "refused"
    for depth in (1_000, 2_000_000):
        yield f"marks-{depth}", wrap(b"(" * depth), "refused"
    yield "tuples-1000000-deep", wrap(b")" + b"\x85" * 1_000_000), "refused"
    yield "lists-100000-deep", wrap(b"]" * 60_000 + b"a" * 59_999), "refused"
    yield "dicts-30000-deep", wrap(b"}" + b"K\x01}" * 30_000 + b"s" * 30_000), "refused"
    yield "ordered-dicts-without-end", wrap((global_line("collections", "OrderedDict") + b")R0") * 100_000), "refused"


def lengths():
    for length in (7, 2**20 + 1, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"BINUNICODE-{length}", wrap(b"X" + struct.pack("<I", length) + b"abc"), "refused"
        yield f"BINBYTES-{length}", wrap(b"B" + struct.pack("<I", length) + b"abc"), "refused"
        yield f"BINSTRING-{length}", wrap(b"T" + struct.pack("<I", length) + b"abc"), "refused"
    yield "SHORT_BINUNICODE", wrap(b"\x8c\xffabc"), "refused"
    yield "SHORT_BINBYTES", wrap(b"C\xffabc"), "refused"
    for length in (2**31, 2**63, 2**64 - 1):
        for code, name in ((b"\x8d", "BINUNICODE8"), (b"\x8e", "BINBYTES8"), (b"\x96", "BYTEARRAY8"), (b"\x95", "FRAME")):
            yield f"{name}-{length}", archive(program(code + struct.pack("<Q", length) + state_dict(), 5)), "refused"
    yield "LONG1-255", wrap(b"\x8a\xff" + b"\xff" * 255), "refused"
    yield "LONG1-9", wrap(b"\x8a\x09" + b"\x01" * 9), "refused"
    yield "LONG4", wrap(b"\x8b" + struct.pack("<i", 2**31 - 1)), "refused"
    yield "LONG4-negative", wrap(b"\x8b" + struct.pack("<i", -1)), "refused"
    yield "text-not-utf8", wrap(text(b"\xc3\x28")), "refused"
    yield "text-overlong", wrap(text(b"\xc0\x80")), "refused"
    yield "text-surrogate", wrap(text(b"\xed\xa0\x80")), "refused"
    for protocol in (0, 1, 6, 255):
        yield f"protocol-{protocol}", archive(program(state_dict(), protocol)), "refused"
    yield "no-protocol", archive(state_dict() + b"."), "refused"
    yield "protocol-twice", archive(program(b"\x80\x02" + state_dict())), "refused"
    yield "empty-pickle", archive(b""), "refused"
    yield "only-stop", archive(program(b"")), "refused"
    yield "no-stop", archive(b"\x80\x02" + state_dict()), "refused"
    yield "two-values-at-stop", wrap(b"N" + state_dict()), "refused"
    yield "open-mark-at-stop", wrap(b"(" + state_dict()), "refused"


def truncations():
    arguments = {"PROTO": b"", "BININT": b"J\1\1\1", "BININT1": b"K", "BININT2": b"M\1", "LONG1": b"\x8a\x08\1", "BINFLOAT": b"G\1\1\1\1",
                 "BINUNICODE": b"X\1\0\0", "BINUNICODE-text": b"X\5\0\0\0ab", "SHORT_BINUNICODE": b"\x8c", "BINPUT": b"}q", "LONG_BINPUT": b"}r\0\0",
                 "BINGET": b"}q\0h", "LONG_BINGET": b"}q\0j\0", "GLOBAL": b"c", "GLOBAL-module": b"ctorch", "GLOBAL-name": b"ctorch\nFloatStorage",
                 "FRAME": b"\x95\0\0\0"}
    for name, cut in arguments.items():
        yield name, archive((b"\x80\x02" + cut) if cut else b"\x80"), "refused"


def wrong_types():
    operands = {"none": b"N", "integer": b"K\1", "text": text("x"), "list": b"]", "dict": b"}", "tuple": b")", "tensor": tensor(), "name": global_line(
        "collections", "OrderedDict")}
    for name in ("none", "integer", "text", "dict", "tuple", "tensor", "name"):
        yield f"APPEND-to-{name}", wrap(operands[name] + b"Na"), "refused"
        yield f"APPENDS-to-{name}", wrap(operands[name] + b"(Ne"), "refused"
    for name in ("none", "integer", "text", "list", "tuple", "tensor", "name"):
        yield f"SETITEM-of-{name}", wrap(operands[name] + text("k") + b"Ns"), "refused"
        yield f"SETITEMS-of-{name}", wrap(operands[name] + b"(" + text("k") + b"Nu"), "refused"
    for name in ("none", "list", "dict", "tuple", "tensor", "name"):
        yield f"key-{name}", wrap(b"}" + operands[name] + b"Ns"), "refused"
    for name in ("none", "integer", "text", "list", "dict", "tuple", "tensor"):
        yield f"REDUCE-of-{name}", wrap(operands[name] + b")R"), "refused"
    for name in ("none", "integer", "text", "list", "dict", "tensor", "name"):
        yield f"REDUCE-with-{name}", wrap(operands["name"] + operands[name] + b"R"), "refused"
        yield f"STACK_GLOBAL-{name}", wrap(text("torch") + (operands[name] if name != "text" else b"N") + b"\x93"), "refused"
    yield "REDUCE-of-storage-type", wrap(global_line("torch", "FloatStorage") + integers([10**9]) + b"R"), "refused"
    yield "REDUCE-ordered-dict-of-items", wrap(global_line("collections", "OrderedDict") + items(b"]") + b"R"), "refused"
    yield "SETITEMS-odd", wrap(b"}(" + text("k") + b"u"), "refused"
    for code in b"01QRabehjqrstu.\x85\x86\x87\x93\x94":
        padding = b"\0\0\0\0" if code in b"jr" else b"\0" if code in b"hq" else b""
        yield f"on-empty-stack-{code:02x}", archive(b"\x80\x04" + bytes([code]) + padding + b"."), "refused"
        if code not in b"1etu.hj":
            yield f"across-a-mark-{code:02x}", archive(b"\x80\x04NNN(" + bytes([code]) + padding + b"."), "refused"


def look_alikes():
    module, name = "torch._utils", "_rebuild_tensor_v2"
    pairs = [(module + "\0", name), (module, name + "\0"), (module + " ", name), (" " + module, name), (module + "\r", name), ("Torch._utils", name),
             ("t\u043erch._utils", name), ("\uff54orch._utils", name), ("torch\u2024_utils", name), ("torch._utils\u200d", name), ("\u202eslitu_.hcrot", name),
             ("torch._utils.", name), ("torch..", name), ("", name), (module, ""), ("", ""), (name, module), ("torch", "_utils._rebuild_tensor_v2"),
             ("collections", "OrderedDict.__init__"), ("collections", "OrderedDict.__init__.__globals__"), ("collections", "abc"), ("collections.abc", "OrderedDict"),
             ("torch", "FloatStorage.__class__"), ("torch", "floatStorage"), ("torch\u0301", "FloatStorage"), ("torch", "FloatStorage\u0000.dtype"),
             ("torch", "__builtins__"), ("torch", "os.system"), ("torch", "serialization.os.system"), ("torch._utils", "torch.os.system"),
             ("os\nsystem", "x"), ("x" * 300, name), (module, "x" * 300), (b"\xff\xfe", name), (module, b"\xc3\x28"), ("%s%n", "%n"), ("{}", "{0}"), ("\x1b[2J", "x")]
    for number, (left, right) in enumerate(pairs):
        for form in (global_line, stack_global):
            yield f"{form.__name__}-{number}", archive(program(state_dict(form(left, right) + b")R"), 4)), "refused"
    yield "no-newline", archive(b"\x80\x02c" + b"torch" * 100_000), "refused"


def archives():
    good = program(state_dict())
    extra = [("m/data/1", b"x")]
    lies = {
        "compressed": {"method": 8}, "method-99": {"method": 99}, "encrypted": {"flags": 1}, "strongly-encrypted": {"flags": 64}, "masked": {"flags": 1 << 13},
        "stored-size": {"stored": 3}, "huge-stored-size": {"stored": 0xFFFFFFFF}, "local-name": {"name": "m/other"}, "more-entries": {"count": 1},
        "fewer-entries": {"count": -1}, "no-entries": {"count": -3}, "most-entries": {"count": 0xFFFC}, "directory-too-long": {"size": 1}, "directory-too-short": {"size": -1},
        "directory-huge": {"size": 0xFFFFFF00}, "directory-later": {"begin": 1}, "directory-earlier": {"begin": -1}, "directory-far": {"begin": 0x7FFFFFFF},
        "offsets-shifted": {"at": 1}, "offsets-before": {"at": 0xFFFF0000}, "volume": {"disk": 1}, "gap": {"between": b"gap"},
        "zip64-locator-far": {"between": struct.pack("<IIQI", 0x07064B50, 0, 2**63, 1)}, "zip64-locator-zero": {"between": struct.pack("<IIQI", 0x07064B50, 0, 0, 1)},
    }
    for name, lie in lies.items():
        yield name, archive(good, **lie), "refused"
    yield "comment", archive(good, end=b"hello"), "refused"
    yield "appended", archive(good) + b"PK", "refused"
    yield "second-archive-appended", archive(good) + archive(good), "refused"
    yield "prepended", b"PK\x03\x04" + archive(good), "refused"
    yield "duplicate", archive(good, [("m/data/0", b"x" * 24)]), "refused"
    yield "duplicate-pickle", archive(good, [("m/data.pkl", good)]), "refused"
    yield "two-pickles", archive(good, [("n/data.pkl", good)]), "refused"
    yield "torchscript", archive(good, [("m/constants.pkl", b"\x80\x02).")]), "refused"
    yield "torchscript-code", archive(good, [("m/code/__torch__.py", b"import os")]), "refused"
    yield "big-endian", archive(good, [("m/byteorder2", b"")]).replace(b"little", b"big!!!"), "refused"
    yield "no-name", archive(good, [("", b"x")]), "refused"
    yield "cut", archive(good, extra)[:-1], "refused"
    yield "only-magic", b"PK\x03\x04", "refused"
    yield "only-an-end", struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0, 0, 0, 0, 0), "refused"
    whole = archive(good)
    first = whole.index(b"PK\x01\x02")
    second = whole.index(b"PK\x01\x02", first + 4)
    third = whole.index(b"PK\x01\x02", second + 4)
    offset_of = lambda at: whole[at + 42:at + 46]
    yield "overlap", whole[:third + 42] + offset_of(second) + whole[third + 46:], "refused"
    yield "local-header-outside", whole[:third + 42] + struct.pack("<I", len(whole)) + whole[third + 46:], "refused"


def bare():
    system = lambda p: bytes([0x80, p]) + SYSTEM + items(text(COMMAND)) + b"R."
    for protocol in (2, 3, 4, 5):
        yield f"protocol-{protocol}", system(protocol), "refused"
    yield "protocol-0", b"cposix\nsystem\n(S'touch canary'\ntR.", "refused"
    yield "legacy", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + system(2), "refused"
    yield "python", b"import os; os.system('touch canary')\n", "refused"
    yield "gzip", b"\x1f\x8b\x08\0" + bytes(60), "refused"
    yield "empty", b"", "refused"


def damaged(golden, count):
    """Random damage with a fixed seed: bytes changed, runs removed, doubled, or swapped, mostly in the pickle and the directory."""
    whole = golden.read_bytes()
    program_at, program_end = whole.index(b"\x80\x02"), whole.index(b"PK\x07\x08")
    directory = whole.index(b"PK\x01\x02")
    for number in range(count):
        random.seed(number)
        begin, end = random.choice([(program_at, program_end), (program_at, program_end), (directory, len(whole)), (0, len(whole))])
        data = bytearray(whole)
        for _ in range(random.choice((1, 1, 2, 8))):
            at = random.randrange(begin, end)
            if number % 4 == 3:
                data[at:at + random.randrange(1, 9)] = random.randbytes(random.randrange(0, 9))
            else:
                data[at] = random.randrange(256)
        yield f"{number:03}", bytes(data), "any"


def cases(golden, damage):
    for group in (calls, nested_calls, builders, builds, persistent_ids, tensors, bombs, lengths, truncations, wrong_types, look_alikes, archives, bare):
        for name, data, expected in group():
            yield f"{group.__name__}-{name}", data, expected
    for name, data, expected in damaged(golden, damage):
        yield f"damaged-{name}", data, expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--golden", type=pathlib.Path, default=ROOT / "tests/golden/pytorch/pytorch_model.bin")
    parser.add_argument("--damaged", type=int, default=100, metavar="N", help="files with random damage")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, data, expected) in enumerate(cases(options.golden, options.damaged)):
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in name)[:80]
        file = f"{number:03}-{safe}.pt"
        (options.folder / file).write_bytes(data)
        lines.append(f"{file}\t{expected}\n")
    (options.folder / "manifest.tsv").write_text("".join(lines))
    print(f"{len(lines)} files in {options.folder}")


if __name__ == "__main__":
    main()
