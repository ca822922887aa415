// A cluster grows while no rule of the annex puts a boundary behind it. Most rules look at the classes of the two
// neighbours only. Three look further back, and their memory is that of Cluster: an emoji joins the one before across
// marks and a zero-width joiner (GB11), an Indic consonant the one before across a linker (GB9c), and regional
// indicators pair up (GB12, GB13).
#include "model/unicode/graphemes.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace frugal::unicode {
namespace {

enum class BreakClass : uint8_t {
  other,
  control,
  prepend,
  extend,
  linker,  // an `extend` that joins consonants
  zwj,
  spacing_mark,
  pictographic,
  consonant,  // Indic, of the scripts with linkers
  regional,
  leading,  // Hangul: consonants before the vowel, vowels, consonants after it, and whole syllables
  vowel,
  trailing,
  open_syllable,
  closed_syllable,
};
struct BreakRange {
  char32_t first, last;
  BreakClass kind;
};

#include "model/unicode/grapheme_breaks.inc"

constexpr char32_t kNonJoiner = 0x200C;

BreakClass class_of(char32_t c) {
  if (c >= ' ' && c < 0x7F) return BreakClass::other;
  if (c >= 0xAC00 && c < 0xD7A4)
    return (c - 0xAC00) % 28 == 0 ? BreakClass::open_syllable : BreakClass::closed_syllable;
  const auto after = std::upper_bound(kBreakRanges.begin(), kBreakRanges.end(), c,
                                      [](char32_t value, const BreakRange& range) { return value < range.first; });
  if (after == kBreakRanges.begin() || c > std::prev(after)->last) return BreakClass::other;
  return std::prev(after)->kind;
}

bool is_extend(BreakClass kind) {
  return kind == BreakClass::extend || kind == BreakClass::linker;
}

class Cluster {
 public:
  explicit Cluster(char32_t first) { add(first, class_of(first)); }

  // Takes `c` into the cluster, or returns false.
  bool extend_by(char32_t c) {
    const BreakClass kind = class_of(c);
    const bool joins = last_ == BreakClass::control ? last_char_ == '\r' && c == '\n' : continues(kind);
    if (joins) add(c, kind);
    return joins;
  }

 private:
  bool continues(BreakClass next) const {
    using enum BreakClass;
    switch (next) {
      case control:
        return false;
      case extend:
      case linker:
      case zwj:
      case spacing_mark:
        return true;
      case pictographic:
        return last_ == prepend || emoji_joiner_;
      case consonant:
        return last_ == prepend || (consonant_ && linked_);
      case regional:
        return last_ == prepend || odd_regionals_;
      case leading:
      case open_syllable:
      case closed_syllable:
        return last_ == prepend || last_ == leading;
      case vowel:
        return last_ == prepend || last_ == leading || last_ == vowel || last_ == open_syllable;
      case trailing:
        return last_ == prepend || last_ == vowel || last_ == trailing || last_ == open_syllable ||
               last_ == closed_syllable;
      default:
        return last_ == prepend;
    }
  }

  void add(char32_t c, BreakClass kind) {
    emoji_joiner_ = emoji_ && kind == BreakClass::zwj;
    emoji_ = kind == BreakClass::pictographic || (emoji_ && is_extend(kind));
    const bool between = (is_extend(kind) && c != kNonJoiner) || kind == BreakClass::zwj;
    linked_ = consonant_ && between && (linked_ || kind == BreakClass::linker);
    consonant_ = kind == BreakClass::consonant || (consonant_ && between);
    odd_regionals_ = kind == BreakClass::regional && !odd_regionals_;
    last_ = kind, last_char_ = c;
  }

  BreakClass last_ = BreakClass::other;
  char32_t last_char_ = 0;
  bool emoji_ = false;          // a pictograph with its marks ends here
  bool emoji_joiner_ = false;   // the same and a zero-width joiner
  bool consonant_ = false;      // a consonant with its marks ends here
  bool linked_ = false;         // the same with a linker among the marks
  bool odd_regionals_ = false;  // an unpaired regional indicator ends here
};

}  // namespace

size_t grapheme_end(std::string_view text, size_t at) {
  CodePoint point = decode_utf8(text, at);
  Cluster cluster(point.value);
  for (at += point.num_bytes; at < text.size(); at += point.num_bytes) {
    point = decode_utf8(text, at);
    if (!cluster.extend_by(point.value)) break;
  }
  return at;
}

}  // namespace frugal::unicode
