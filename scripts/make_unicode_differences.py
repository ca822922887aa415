#!/usr/bin/env python3
"""Writes lib/model/unicode/unicode_differences.inc: the code points that Hugging Face's tokenizers and utf8proc treat differently.

The parts of tokenizers have tables of different Unicode versions, so its classes are determined by testing every code
point. Needs the Python package `tokenizers` and the shared library libutf8proc.so.2.

  scripts/make_unicode_differences.py > lib/model/unicode/unicode_differences.inc
"""

import ctypes
import sys

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
DECOMPOSE, COMPATIBLY = 1 << 4, 1 << 2
ASCII_PUNCTUATION = {ord(c) for c in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}

utf8proc = ctypes.CDLL("libutf8proc.so.2")
utf8proc.utf8proc_version.restype = ctypes.c_char_p
utf8proc.utf8proc_unicode_version.restype = ctypes.c_char_p


class Property(ctypes.Structure):
    """The head of utf8proc_property_t."""

    _fields_ = [("category", ctypes.c_int16), ("combining_class", ctypes.c_int16)]


utf8proc.utf8proc_get_property.restype = ctypes.POINTER(Property)
CATEGORY = {c: CATEGORIES[utf8proc.utf8proc_category(c)] for c in CODE_POINTS}


def combining_class(c):
    return utf8proc.utf8proc_get_property(c).contents.combining_class


def decompose(c, options=DECOMPOSE):
    buffer, last = (ctypes.c_int32 * 32)(), ctypes.c_int(0)
    length = utf8proc.utf8proc_decompose_char(c, buffer, 32, options, ctypes.byref(last))
    return "".join(map(chr, buffer[:length]))


def ours(*categories):
    return {c for c in CODE_POINTS if CATEGORY[c] in categories or CATEGORY[c][0] in categories}


def matched_by(pattern):
    """Code points that a one-character pattern of the library's regex engine matches."""
    replace = normalizers.Replace(Regex(pattern), "")
    return {c for c in CODE_POINTS if replace.normalize_str(chr(c)) == ""}


def bert(**steps):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(off | steps))


def ranges(code_points):
    found = []
    for c in sorted(code_points):
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def print_ranges(name, comment, code_points):
    print(f"\n// {comment}")
    print(f"constexpr std::array k{name} = std::to_array<CodePointRange>({{")
    print("\n".join(f"    {{{a:#x}, {b:#x}}}," for a, b in ranges(code_points)))
    print("});")


def classes_that_differ():
    """(name, property that differs, code points) of each class of the library."""
    digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.BertPreTokenizer()
    clean, strip = bert(clean_text=True), bert(strip_accents=True)
    numeric = {c for c in CODE_POINTS if len(digits.pre_tokenize_str("a" + chr(c))) == 2}
    punctuation = {c for c in CODE_POINTS if len(words.pre_tokenize_str("a" + chr(c) + "b")) == 3}
    removed = {c for c in CODE_POINTS if clean.normalize_str("a" + chr(c) + "b") == "ab"}
    stripped = {c for c in CODE_POINTS if strip.normalize_str("a" + chr(c)) == "a"}
    controls = (ours("Cc", "Cf", "Co") - {0x9, 0xA, 0xD}) | {0, 0xFFFD}
    return [
        ("LetterToggles", r"\p{L} of the regex engine against categories L*.", matched_by(r"\p{L}") ^ ours("L")),
        ("NumberToggles", r"\p{N} of the regex engine against categories N*.", matched_by(r"\p{N}") ^ ours("N")),
        ("NumericToggles", "The Digits pre-tokeniser against categories N*.", numeric ^ ours("N")),
        ("PunctuationToggles", "BertPreTokenizer against ASCII punctuation and categories P*.",
         punctuation ^ (ours("P") | ASCII_PUNCTUATION)),
        ("RemovedToggles", "BertNormalizer's clean_text against Cc, Cf, Co, U+0000 and U+FFFD.", removed ^ controls),
        ("MarkToggles", "BertNormalizer's strip_accents against Mn.", stripped ^ ours("Mn")),
    ]


def check_fixed_sets():
    """Verifies for this version of the library the rules that unicode.cpp has as code."""
    spaces = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
    assert matched_by(r"\s") == spaces
    words = pre_tokenizers.BertPreTokenizer()
    assert {c for c in CODE_POINTS if len(words.pre_tokenize_str("a" + chr(c) + "b")) == 2} == spaces
    clean = bert(clean_text=True)
    assert {c for c in CODE_POINTS if clean.normalize_str("a" + chr(c) + "b") == "a b"} == spaces - {0xB, 0xC, 0x85}
    assert matched_by("(?i:s)") == {ord("s"), ord("S"), 0x17F}
    for letter in "tdmrelv":
        assert matched_by(f"(?i:{letter})") == {ord(letter), ord(letter.upper())}


def print_lowercase():
    lower = bert(lowercase=True)
    print("\n// Lower case where it is not utf8proc_tolower's; second is 0 for one code point.")
    print("constexpr std::array kLowercase = std::to_array<LowercaseMapping>({")
    for c in CODE_POINTS:
        mapped = [ord(x) for x in lower.normalize_str(chr(c))]
        if mapped != [utf8proc.utf8proc_tolower(c)]:
            assert len(mapped) <= 2
            print(f"    {{{c:#x}, {mapped[0]:#x}, {(mapped + [0])[1]:#x}}},")
    print("});")


def has_combining_class(nfd, c):
    """True if the library reorders c: after a mark of class 230, or before one of class 1."""
    after, before = "\u0300" + chr(c), chr(c) + "\u0334"
    return nfd.normalize_str(after) != after or nfd.normalize_str(before) != before


def print_normalization():
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    kept = [c for c in CODE_POINTS if nfd.normalize_str(chr(c)) != decompose(c)]
    assert all(nfd.normalize_str(chr(c)) == chr(c) for c in kept)
    print_ranges("NotDecomposed", "Left whole by NFD, and so never composed by NFC.", kept)
    nfkd = normalizers.NFKD()
    plain = [c for c in CODE_POINTS if nfkd.normalize_str(chr(c)) != decompose(c, DECOMPOSE | COMPATIBLY) and c not in kept]
    assert all(nfkd.normalize_str(chr(c)) == chr(c) for c in plain)
    print_ranges("NotDecomposedCompatibly", "Left whole by NFKD, besides those.", plain)
    representative = {}
    for c in CODE_POINTS:
        if combining_class(c) > 0 and decompose(c) == chr(c) and has_combining_class(nfd, c):
            representative.setdefault(combining_class(c), c)
    unordered = []
    for c in CODE_POINTS:
        ours_class = combining_class(c)
        if ours_class == 0:
            assert nfd.normalize_str(chr(c)) != chr(c) or not has_combining_class(nfd, c), hex(c)
            continue
        if nfd.normalize_str(chr(c)) != chr(c):
            continue
        reorders = [k for k, m in representative.items() if nfd.normalize_str(chr(m) + chr(c)) != chr(m) + chr(c)]
        if not reorders and not has_combining_class(nfd, c):
            unordered.append(c)
        else:
            assert set(reorders) == {k for k in representative if k > ours_class}, f"{c:#x} {reorders}"
    print_ranges("NoCombiningClass", "Marks that the library's normalisation takes for starters.", unordered)
    for c in CODE_POINTS:
        parts = decompose(c)
        if len(parts) > 1 and c not in kept:
            composed = nfc.normalize_str(parts)
            stays = nfc.normalize_str(chr(c)) == chr(c)
            assert (composed == chr(c)) == stays, hex(c)


def main():
    check_fixed_sets()
    print(f"// Generated by scripts/make_unicode_differences.py from tokenizers {tokenizers.__version__} and utf8proc "
          f"{utf8proc.utf8proc_version().decode()} (Unicode {utf8proc.utf8proc_unicode_version().decode()}).")
    for name, comment, code_points in classes_that_differ():
        print_ranges(name, comment, code_points)
    print_lowercase()
    print_normalization()


if __name__ == "__main__":
    sys.exit(main())
