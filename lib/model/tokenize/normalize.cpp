#include "model/tokenize/normalize.h"

namespace frugal {

namespace {

// Composes a stream of code points in canonical order (Unicode Standard Annex 15): a starter takes up each following
// mark that nothing of equal or higher class stands before.
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
    // Below U+0300 all is composed and nothing combines; between U+3400 and the Hangul jamo extensions stand ideographs
    // and syllables, of which only compatibility ideographs (U+F900 on) decompose.
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

}  // namespace frugal
