// How the normalisers work. Both are streams: one code point in, none or more out, each with its origin.
//
// NFC (Unicode Standard Annex 15) takes three steps. decompose() replaces a code point by its full canonical
// decomposition: "é" is "e" + U+0301. CanonicalOrder sorts the marks that follow a starter (combining class 0) by their
// class, stably, because marks above and below a letter may be typed in any order and must compare equal. Composer puts
// them together again: a starter takes up each following mark with which a composed code point exists, unless an
// earlier mark of the same or a higher class, which did not compose, stands between them (the mark is "blocked").
// Hangul needs no case of its own: its vowels and final consonants are starters that compose with the starter before.
//
// Nearly all text is in NFC already. is_surely_nfc() proves it for most of it from code point ranges alone, and the
// tokenizer then uses the text in place, without a copy or origins.
//
// BertNormalizer is a chain for each code point: drop control characters and make white space ' ' (clean_text), put
// spaces around ideographs (handle_chinese_chars), decompose and drop marks (strip_accents), lower the case. The order
// is Hugging Face's, and observable: case is lowered after marks are stripped, so "İ" becomes "i" and no dot remains.
// ASCII letters and punctuation skip the chain, as only the change of case applies to them.
//
// Origins. A composed code point spans from the begin of its starter to the end of its last mark. A stripped mark has
// no code point, so its bytes go to the letter it stood on (absorb). Spaces around an ideograph have empty origins:
// they cover no byte. So tokens' origins never overlap except where one original character became several.
//
// The data is utf8proc's, corrected where the tokenizers' own libraries follow another version of Unicode (unicode.h).
#include "model/unicode/normalize.h"

namespace frugal {

namespace {

// The composition step over a stream in canonical order.
class Composer {
 public:
  explicit Composer(NormalizedText& out) : out_(out) {}

  void operator()(char32_t c, Origin origin) {
    const int combining = unicode::combining_class(c);
    if (has_starter_ && (pending_.empty() || (combining != 0 && last_class_ < combining))) {
      if (const char32_t composed = unicode::compose(starter_, c)) {
        starter_ = composed;
        starter_origin_.end = std::max(starter_origin_.end, origin.end);
        return;
      }
    }
    if (combining == 0) {
      finish();
      starter_ = c, starter_origin_ = origin, has_starter_ = true;
      return;
    }
    pending_.push_back({c, origin});
    last_class_ = combining;
  }

  void finish() {
    if (has_starter_) out_.append(starter_, starter_origin_);
    for (const auto& [c, origin] : pending_) out_.append(c, origin);
    pending_.clear();
    has_starter_ = false;
    last_class_ = 0;
  }

 private:
  NormalizedText& out_;
  char32_t starter_ = 0;
  Origin starter_origin_;
  bool has_starter_ = false;
  int last_class_ = 0;
  std::vector<std::pair<char32_t, Origin>> pending_;  // marks after the starter that did not compose
};

}  // namespace

void NormalizedText::append(char32_t c, Origin origin) {
  append_utf8(text, c);
  origins.resize(text.size(), origin);
}

NormalizedText repair_with_origins(std::string_view text) {
  NormalizedText repaired;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    repaired.append(point.value, {static_cast<uint32_t>(at), static_cast<uint32_t>(at + point.num_bytes)});
    at += point.num_bytes;
  }
  return repaired;
}

bool is_surely_nfc(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    // Code points below U+0300 are composed, and none combines. From U+3400 up to the Hangul jamo extensions there are
    // ideographs and syllables; only compatibility ideographs (U+F900 and up) decompose.
    const bool composed = point.value < 0x300 || (point.value >= 0x2010 && point.value <= 0x2027) ||
                          (point.value >= 0x3400 && point.value <= 0x9FFF) ||
                          (point.value >= 0x1F300 && point.value <= 0x1FAFF);
    if (!composed) return false;
    at += point.num_bytes;
  }
  return true;
}

NormalizedText to_nfc(std::string_view text) {
  NormalizedText normalized;
  Composer composer(normalized);
  CanonicalOrder ordered([&](char32_t c, Origin origin) { composer(c, origin); });
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const Origin origin{static_cast<uint32_t>(at), static_cast<uint32_t>(at + point.num_bytes)};
    const unicode::Decomposition decomposed = unicode::decompose(point.value);
    for (size_t i = 0; i < decomposed.num_parts; ++i) ordered.add(decomposed.parts[i], origin);
    at += point.num_bytes;
  }
  ordered.flush();
  composer.finish();
  return normalized;
}

NormalizedText change_characters(std::string_view text, const CharacterChanges& changes) {
  NormalizedText changed;
  bool in_spaces = false;
  for (size_t at = 0; at < text.size();) {
    CodePoint point = decode_utf8(text, at);
    const Origin origin{static_cast<uint32_t>(at), static_cast<uint32_t>(at + point.num_bytes)};
    at += point.num_bytes;
    if (changes.join_spaces && unicode::is_space(point.value)) {
      if (in_spaces) {
        changed.origins.back().end = origin.end;
        continue;
      }
      point.value = ' ';
    }
    in_spaces = changes.join_spaces && point.value == ' ';
    if (changes.mark_spaces && point.value == ' ') point.value = 0x2581;
    const unicode::Lowercase lowered =
        changes.lowercase ? unicode::to_lower(point.value) : unicode::Lowercase{point.value, 0};
    changed.append(lowered.first, origin);
    if (lowered.second != 0) changed.append(lowered.second, origin);
  }
  return changed;
}

}  // namespace frugal
