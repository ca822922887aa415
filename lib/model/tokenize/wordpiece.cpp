// WordPiece (Schuster & Nakajima 2012) as BERT uses it: the longest vocabulary entry that begins the word, then the
// longest "##" entry that continues it, and so on. A word that cannot be covered completely becomes unk.
#include <algorithm>
#include <limits>

#include "base/ascii.h"
#include "model/tokenize/tokenizer_base.h"

namespace frugal {

namespace {

constexpr std::string_view kContinuation = "##";

// The current word, in normalised form. Memory is bounded: only the ends of a word that is too long are kept.
class WordBuffer {
 public:
  explicit WordBuffer(size_t max_chars) : max_chars_(max_chars) {}

  struct Char {
    size_t end;  // in bytes()
    Origin origin;
  };

  bool empty() const { return num_chars_ == 0; }
  bool too_long() const { return num_chars_ > max_chars_; }
  std::string_view bytes() const { return bytes_; }
  const std::vector<Char>& chars() const { return chars_; }
  Origin origin() const { return {begin_, end_}; }

  void add(char32_t c, Origin origin) {
    if (empty()) begin_ = origin.begin;
    end_ = origin.end;
    if (++num_chars_ > max_chars_) return;
    append_utf8(bytes_, c);
    chars_.push_back({bytes_.size(), origin});
  }

  // A mark that was stripped belongs to the character it stood on.
  void absorb(Origin origin) {
    if (empty()) return;
    end_ = std::max(end_, origin.end);
    if (!too_long()) chars_.back().origin.end = end_;
  }

  void clear() {
    bytes_.clear();
    chars_.clear();
    num_chars_ = 0;
  }

 private:
  size_t max_chars_;
  size_t num_chars_ = 0;
  std::string bytes_;
  std::vector<Char> chars_;
  uint32_t begin_ = 0, end_ = 0;
};

// BertPreTokenizer over a stream of normalised code points, and WordPiece over its words.
class WordPieceEncoder {
 public:
  WordPieceEncoder(const TokenizerTables& tables, PieceSink& sink)
      : tables_(tables), sink_(sink), word_(tables.header().max_word_chars) {
    continuation_hash_.add(kContinuation);
  }

  void add(char32_t c, Origin origin) {
    if (is_word_char(c)) {
      word_.add(c, origin);
      return;
    }
    finish();
    if (unicode::is_space(c)) return;
    word_.add(c, origin);
    finish();
  }

  void absorb(Origin origin) { word_.absorb(origin); }

  void finish() {
    if (word_.empty()) return;
    if (word_.too_long() || !split_word()) sink_.add(tables_.header().unk, word_.origin().begin, word_.origin().end);
    word_.clear();
  }

 private:
  static bool is_word_char(char32_t c) {
    if (c < 0x80)
      return (c >= 'a' && c <= 'z') || is_digit(c) || !(c == ' ' || unicode::is_punctuation(c) || unicode::is_space(c));
    return !unicode::is_space(c) && !unicode::is_punctuation(c);
  }

  struct Match {
    TokenId id;
    size_t first_char, last_char;
  };

  // Emits the tokens of the word; returns false, with none emitted, if they do not cover it.
  bool split_word() {
    matches_.clear();
    for (size_t first = 0; first < word_.chars().size();) {
      const auto match = longest_match(first);
      if (!match) return false;
      matches_.push_back(*match);
      first = match->last_char + 1;
    }
    for (const Match& match : matches_)
      sink_.add(match.id, word_.chars()[match.first_char].origin.begin, word_.chars()[match.last_char].origin.end);
    return true;
  }

  std::optional<Match> longest_match(size_t first) {
    const auto& chars = word_.chars();
    const size_t begin = first == 0 ? 0 : chars[first - 1].end;
    const std::string_view head = first == 0 ? std::string_view() : kContinuation;
    TokenHash hash = first == 0 ? TokenHash() : continuation_hash_;
    prefix_hashes_.clear();
    size_t at = begin;
    for (size_t last = first; last < chars.size(); ++last) {
      if (chars[last].end - begin + head.size() > tables_.header().max_token_bytes) break;
      hash.add(word_.bytes().substr(at, chars[last].end - at));
      at = chars[last].end;
      prefix_hashes_.push_back(hash.value());
    }
    for (size_t n = prefix_hashes_.size(); n-- > 0;) {
      const std::string_view tail = word_.bytes().substr(begin, chars[first + n].end - begin);
      if (const auto id = tables_.find(prefix_hashes_[n], head, tail)) return Match{*id, first, first + n};
    }
    return std::nullopt;
  }

  const TokenizerTables& tables_;
  PieceSink& sink_;
  WordBuffer word_;
  TokenHash continuation_hash_;
  std::vector<uint32_t> prefix_hashes_;
  std::vector<Match> matches_;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// The WordPiece decoder's cleanup of one token with the space before it.
std::string clean_up(std::string token) {
  constexpr std::pair<std::string_view, std::string_view> kReplacements[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kReplacements) replace_all(token, from, to);
  return token;
}

class WordPiece : public TableTokenizer {
 public:
  explicit WordPiece(std::span<const std::byte> blob) : TableTokenizer(blob) {
    const BlobHeader& header = tables().header();
    if (header.unk < 0) blob_index_error("unk", 0, 0);
    if (header.max_word_chars > kMaxWordChars)
      blob_index_error("characters of a word", header.max_word_chars, kMaxWordChars);
    options_ = {tables().has(kCleanText), tables().has(kChineseChars), tables().has(kStripAccents),
                tables().has(kLowercase)};
  }

  std::string decode(std::span<const TokenId> ids, bool keep_special) const override {
    std::string text;
    bool first = true;
    for (const TokenId id : ids) {
      if (is_skipped(id, keep_special)) continue;
      std::string token(tables().token(id));
      if (!first) {
        if (token.starts_with(kContinuation))
          token.erase(0, kContinuation.size());
        else
          token.insert(token.begin(), ' ');
      }
      text += tables().has(kDecodeCleanup) ? clean_up(std::move(token)) : token;
      first = false;
    }
    return text;
  }

  std::string token_bytes(TokenId id) const override {
    if (is_skipped(id, true)) return {};
    const std::string_view token = tables().token(id);
    const bool continues = token.starts_with(kContinuation) && token.size() > kContinuation.size();
    return std::string(continues ? token.substr(kContinuation.size()) : token);
  }

 protected:
  void encode_plain(std::string_view text, uint32_t base, bool parse_special, PieceSink& sink) const override {
    if (!added_normalized().empty()) return encode_with_added(text, base, parse_special, sink);
    sink.map(0, nullptr);
    WordPieceEncoder encoder(tables(), sink);
    bert_normalize(
        options_, text, base, [&](char32_t c, Origin origin) { encoder.add(c, origin); },
        [&](Origin origin) { encoder.absorb(origin); });
    encoder.finish();
  }

  std::optional<TokenId> find_in_vocabulary(std::string_view token) const override {
    TokenHash hash;
    hash.add(token);
    return tables().find(hash.value(), {}, token);
  }

 private:
  // Added tokens that match normalised text need it whole: 9 bytes of memory a byte.
  void encode_with_added(std::string_view text, uint32_t base, bool parse_special, PieceSink& sink) const {
    NormalizedText normalized;
    bert_normalize(
        options_, text, base, [&](char32_t c, Origin origin) { normalized.append(c, origin); }, [](Origin) {});
    for (const AddedTokens::Span& span : added_normalized().split(normalized.text, parse_special)) {
      if (span.id) {
        sink.map(0, &normalized.origins);
        sink.add(*span.id, span.begin, span.end);
        continue;
      }
      sink.map(0, nullptr);
      WordPieceEncoder encoder(tables(), sink);
      for (size_t at = span.begin; at < span.end;) {
        const CodePoint point = decode_utf8(normalized.text, at);
        encoder.add(point.value, normalized.origins[at]);
        at += point.num_bytes;
      }
      encoder.finish();
    }
  }

  BertNormalization options_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_wordpiece(std::span<const std::byte> blob) {
  return std::make_unique<WordPiece>(blob);
}

}  // namespace frugal
