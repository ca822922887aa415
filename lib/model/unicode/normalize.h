// The normalisers of tokenizers: NFC, BertNormalizer, and changes of single characters. Every code point they emit
// carries its origin, the bytes of the input that it came from, so that a token can be mapped back to the text. Not for
// search: rag/text folds for that. The algorithms are described in normalize.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "model/unicode/unicode.h"

namespace frugal {

/// Bytes [begin, end) of the original text.
struct Origin {
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// Normalised text, with the origin of each of its bytes.
struct NormalizedText {
  std::string text;
  std::vector<Origin> origins;

  void append(char32_t c, Origin origin);
};

/// Replaces ill-formed bytes by U+FFFD.
NormalizedText repair_with_origins(std::string_view text);

/// True if `text` is certainly in NFC: no code point could compose, decompose or be reordered. False means unknown.
bool is_surely_nfc(std::string_view text);
NormalizedText to_nfc(std::string_view text);

/// Changes of single characters, in this order.
struct CharacterChanges {
  bool join_spaces = false;  // a run of white space becomes a space
  bool lowercase = false;
  bool mark_spaces = false;  // a space becomes U+2581

  bool any() const { return join_spaces || lowercase || mark_spaces; }
};
NormalizedText change_characters(std::string_view text, const CharacterChanges& changes);

/// BertNormalizer's options; strip_accents is already resolved (null means lowercase).
struct BertNormalization {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

/// Puts code points of combining class above 0 in canonical order before passing them on. Memory is bounded by the
/// longest run of marks.
template <class Emit>
class CanonicalOrder {
 public:
  explicit CanonicalOrder(Emit emit) : emit_(std::move(emit)) {}

  void add(char32_t c, Origin origin) {
    const int combining = unicode::combining_class(c);
    if (combining == 0) {
      flush();
      emit_(c, origin);
      return;
    }
    waiting_.push_back({c, combining, origin});
  }

  void flush() {
    if (waiting_.empty()) return;
    std::stable_sort(waiting_.begin(), waiting_.end(),
                     [](const Mark& a, const Mark& b) { return a.combining < b.combining; });
    for (const Mark& mark : waiting_) emit_(mark.value, mark.origin);
    waiting_.clear();
  }

 private:
  struct Mark {
    char32_t value;
    int combining;
    Origin origin;
  };
  Emit emit_;
  std::vector<Mark> waiting_;
};

/// Streams `text` through BertNormalizer: emit(code point, origin) for each code point that remains. `base` is the
/// original offset of its first byte. absorb(origin) reports a stripped mark, so that the letter below it can take over
/// its bytes.
template <class Emit, class Absorb>
void bert_normalize(const BertNormalization& options, std::string_view text, uint32_t base, Emit&& emit,
                    Absorb&& absorb) {
  const auto lower = [&](char32_t c, Origin origin) {
    if (!options.lowercase) return emit(c, origin);
    const unicode::Lowercase lowered = unicode::to_lower(c);
    emit(lowered.first, origin);
    if (lowered.second != 0) emit(lowered.second, origin);
  };
  CanonicalOrder ordered([&](char32_t c, Origin origin) { unicode::is_mark(c) ? absorb(origin) : lower(c, origin); });
  const auto strip = [&](char32_t c, Origin origin) {
    if (!options.strip_accents) return lower(c, origin);
    const unicode::Decomposition decomposed = unicode::decompose(c);
    for (size_t i = 0; i < decomposed.num_parts; ++i) ordered.add(decomposed.parts[i], origin);
  };
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const Origin origin{base + static_cast<uint32_t>(at), base + static_cast<uint32_t>(at + point.num_bytes)};
    at += point.num_bytes;
    char32_t c = point.value;
    if (c > ' ' && c < 0x7F) {  // nothing below applies but case
      ordered.flush();
      emit(options.lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c, origin);
      continue;
    }
    if (options.clean_text) {
      if (unicode::is_removed(c)) continue;
      if (unicode::is_space(c)) c = ' ';
    }
    const bool chinese = options.handle_chinese_chars && unicode::is_chinese(c);
    if (chinese) strip(' ', {origin.begin, origin.begin});
    strip(c, origin);
    if (chinese) strip(' ', {origin.end, origin.end});
  }
  ordered.flush();
}

}  // namespace frugal
