// The normalisation of SentencePiece's tokenizers, as a stream: characters or grapheme clusters are replaced, white
// space at the end of a text is dropped, runs of spaces become one. Each character that is passed on has the bytes it
// came from. Composing (NFC) is left to the caller, which knows words.
#pragma once

#include <bitset>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "model/tokenize/charsmap.h"
#include "model/unicode/graphemes.h"
#include "model/unicode/normalize.h"

namespace frugal {

constexpr char32_t kSpaceMark = 0x2581;

/// The ASCII characters that the table of a blob keeps.
using UnchangedAscii = std::bitset<128>;
inline UnchangedAscii unchanged_ascii(const TokenizerTables& tables) {
  const CodePointMap map(tables);
  UnchangedAscii unchanged;
  for (char32_t c = 0; c < unchanged.size(); ++c) unchanged[c] = !map.find(c).has_value();
  return unchanged;
}

template <class Emit>
class UnigramNormalizer {
 public:
  /// emit(code point, origin) receives the text.
  UnigramNormalizer(const TokenizerTables& tables, const UnchangedAscii& unchanged, Emit emit)
      : map_(tables),
        unchanged_(unchanged),
        by_grapheme_(tables.has(kCharsmap)),
        strips_(tables.has(kStripRight)),
        collapses_(tables.has(kCollapseSpaces)),
        run_is_mark_(tables.has(kSpacesAreMark)),
        emit_(std::move(emit)) {}

  /// `base` is the original offset of the first byte.
  void normalize(std::string_view text, uint32_t base) {
    base_ = base;
    if (!by_grapheme_) {
      for (size_t at = 0; at < text.size();) at = put_character(text, at);
    } else if (is_valid_utf8(text)) {
      put_graphemes(text);
    } else {
      const NormalizedText repaired = repair_with_origins(text);  // a cluster's length is that of U+FFFD
      origins_ = &repaired.origins;
      put_graphemes(repaired.text);
      origins_ = nullptr;
    }
    waiting_.clear();
    end_run();
  }

 private:
  Origin origin_of(size_t begin, size_t end) const {
    if (origins_ != nullptr) begin = (*origins_)[begin].begin, end = (*origins_)[end - 1].end;
    return {base_ + static_cast<uint32_t>(begin), base_ + static_cast<uint32_t>(end)};
  }

  void put_graphemes(std::string_view text) {
    const auto is_ascii = [&](size_t at) { return static_cast<unsigned char>(text[at]) < 0x80; };
    for (size_t at = 0; at < text.size();) {
      const bool alone = is_ascii(at) && (at + 1 == text.size() || (is_ascii(at + 1) && text[at] != '\r'));
      if (alone) {
        at = put_character(text, at);
        continue;
      }
      const size_t end = unicode::grapheme_end(text, at);
      const auto whole =
          end - at <= kMaxReplacedGrapheme ? map_.find_grapheme(text.substr(at, end - at)) : std::nullopt;
      if (whole) {
        put_all(*whole, origin_of(at, end));
        at = end;
      }
      while (at < end) at = put_character(text, at);
    }
  }

  // Returns where the next character begins.
  size_t put_character(std::string_view text, size_t at) {
    const CodePoint point = decode_utf8(text, at);
    const size_t end = at + point.num_bytes;
    const bool is_unchanged = point.value < unchanged_.size() && unchanged_[point.value];
    if (const auto replacement = is_unchanged ? std::nullopt : map_.find(point.value))
      put_all(*replacement, origin_of(at, end));
    else
      put(point.value, origin_of(at, end));
    return end;
  }

  void put_all(std::string_view replacement, Origin origin) {
    for (size_t i = 0; i < replacement.size();) {
      const CodePoint part = decode_utf8(replacement, i);
      i += part.num_bytes;
      put(part.value, origin);
    }
  }

  void put(char32_t c, Origin origin) {
    if (strips_ && unicode::is_space(c)) {
      waiting_.emplace_back(c, origin);
      return;
    }
    for (const auto& [space, place] : waiting_) collapse(space, place);
    waiting_.clear();
    collapse(c, origin);
  }

  void collapse(char32_t c, Origin origin) {
    if (!collapses_ || c != ' ') {
      end_run();
      emit_(c, origin);
      return;
    }
    if (run_length_++ == 0) run_ = origin;
    run_.end = origin.end;
  }

  void end_run() {
    if (run_length_ > 0) emit_(run_is_mark_ && run_length_ > 1 ? kSpaceMark : U' ', run_);
    run_length_ = 0;
  }

  GraphemeMap map_;
  const UnchangedAscii& unchanged_;
  bool by_grapheme_, strips_, collapses_, run_is_mark_;
  Emit emit_;
  uint32_t base_ = 0;
  const std::vector<Origin>* origins_ = nullptr;      // of the bytes of a text that was repaired
  std::vector<std::pair<char32_t, Origin>> waiting_;  // white space that may be the last
  size_t run_length_ = 0;                             // spaces that are not yet passed on
  Origin run_;
};

}  // namespace frugal
