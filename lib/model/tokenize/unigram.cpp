// Unigram (Kudo 2018) as SentencePiece uses it: of all ways to cut a word into pieces, the one with the highest sum of
// scores.
//
// A text is read once. It is normalised as a stream, and each code point is appended to the current word; a space ends
// the word and begins the next with U+2581. Pieces never cross words, so each word is cut alone, by Viterbi's algorithm
// over its bytes. The trie bounds the pieces at a position by a constant, so time is linear, also for a word of
// megabytes. Working memory is that of the longest word: about 17 bytes for each of its bytes, 25 with positions, and
// 35 more where it must be composed. Added tokens that match normalised text need the whole text, another 9 bytes for
// each of its bytes.
#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "model/tokenize/piece_trie.h"
#include "model/tokenize/tokenizer_base.h"
#include "model/tokenize/unigram_normalizer.h"

namespace frugal {
namespace {

constexpr std::string_view kSpaceMarkBytes = "\u2581";
constexpr uint32_t kUnreached = std::numeric_limits<uint32_t>::max();

// Cuts words into pieces.
class PieceLattice {
 public:
  PieceLattice(const TokenizerTables& tables, PieceSink& sink)
      : tables_(tables),
        trie_(tables),
        sink_(sink),
        unknown_score_(tables.scores()[static_cast<size_t>(tables.header().vocab_size)]) {}

  void cut(std::string_view word) {
    best_.assign(word.size() + 1, {});
    for (size_t at = 0; at < word.size();) at = extend(word, at);
    path_.clear();
    for (size_t end = word.size(); end > 0; end = best_[end].begin) path_.push_back(static_cast<uint32_t>(end));
    emit(word);
  }

 private:
  // The best way to reach a byte of the word: its last piece.
  struct Node {
    double score = 0;
    uint32_t begin = kUnreached;
    TokenId id = 0;
  };

  // Continues the best way to `at` by each piece that begins there. Returns where the next character begins.
  size_t extend(std::string_view word, size_t at) {
    const size_t next = at + decode_utf8(word, at).num_bytes;
    const double score = best_[at].score;
    bool covers_character = false;
    const auto reach = [&](size_t end, double reached, TokenId id) {
      Node& node = best_[end];
      if (node.begin == kUnreached || reached > node.score) node = {reached, static_cast<uint32_t>(at), id};
    };
    trie_.walk(word, at, [&](TokenId id, size_t end) {
      reach(end, score + tables_.scores()[static_cast<size_t>(id)], id);
      covers_character |= end == next;
    });
    if (!covers_character) reach(next, score + unknown_score_, tables_.header().unk);
    return next;
  }

  // Neighbouring unknown characters are one token.
  void emit(std::string_view word) {
    const TokenId unk = tables_.header().unk;
    for (size_t i = path_.size(); i-- > 0;) {
      const Node& node = best_[path_[i]];
      while (node.id == unk && i > 0 && best_[path_[i - 1]].id == unk) --i;
      if (node.id != unk || !emit_bytes(word, node.begin, path_[i])) sink_.add(node.id, node.begin, path_[i]);
    }
  }

  // Emits the tokens of the bytes [begin, end) of a word, unless there is none for some byte.
  bool emit_bytes(std::string_view word, size_t begin, size_t end) {
    if (!tables_.has(kByteFallback)) return false;
    const std::string_view bytes = word.substr(begin, end - begin);
    const auto id_of = [&](char byte) { return tables_.byte_id(static_cast<unsigned char>(byte)); };
    if (std::any_of(bytes.begin(), bytes.end(), [&](char byte) { return id_of(byte) < 0; })) return false;
    for (const char byte : bytes) sink_.add(id_of(byte), begin, end);
    return true;
  }

  const TokenizerTables& tables_;
  PieceTrie trie_;
  PieceSink& sink_;
  double unknown_score_;
  std::vector<Node> best_;      // by byte of the word; reached only where characters begin
  std::vector<uint32_t> path_;  // ends of the pieces, the last first
};

// Splits normalised text into words.
class UnigramEncoder {
 public:
  UnigramEncoder(const TokenizerTables& tables, PieceSink& sink)
      : composes_(tables.has(kNfc)),
        splits_whitespace_(tables.has(kSplitWhitespace)),
        splits_spaces_(tables.has(kSplitSpaces)),
        positions_(sink.wants_positions()),
        sink_(sink),
        lattice_(tables, sink) {}

  void add(char32_t c, Origin origin) {
    if ((splits_spaces_ && c == ' ') || (splits_whitespace_ && unicode::is_space(c))) return finish_word();
    if (c == ' ' || c == kSpaceMark) {
      finish_word();
      return append(kSpaceMark, origin);
    }
    if (word_.empty()) append(kSpaceMark, {origin.begin, origin.begin});  // the space that is put before a text
    ascii_ = ascii_ && c < 0x80;
    append(c, origin);
  }

  void finish_word() {
    if (word_.empty()) return;
    if (composes_ && !ascii_) compose();
    sink_.map(0, positions_ ? &origins_ : nullptr);
    lattice_.cut(word_);
    word_.clear();
    origins_.clear();
    ascii_ = true;
  }

 private:
  void append(char32_t c, Origin origin) {
    append_utf8(word_, c);
    if (positions_) origins_.resize(word_.size(), origin);
  }

  // Nothing composes with a space, so words compose alone.
  void compose() {
    const std::string_view rest = std::string_view(word_).substr(kSpaceMarkBytes.size());
    if (is_surely_nfc(rest)) return;
    const NormalizedText composed = to_nfc(rest);
    if (positions_) {
      const std::vector<Origin> given(origins_.begin() + kSpaceMarkBytes.size(), origins_.end());
      origins_.resize(kSpaceMarkBytes.size());
      for (const Origin origin : composed.origins)
        origins_.push_back({given[origin.begin].begin, given[origin.end - 1].end});
    }
    word_.replace(kSpaceMarkBytes.size(), word_.npos, composed.text);
  }

  bool composes_, splits_whitespace_, splits_spaces_, positions_;
  PieceSink& sink_;
  PieceLattice lattice_;
  std::string word_;             // begins with U+2581, unless it is empty
  std::vector<Origin> origins_;  // of each byte of word_, if positions_
  bool ascii_ = true;            // the word is ASCII after U+2581
};

class Unigram : public TableTokenizer {
 public:
  explicit Unigram(std::span<const std::byte> blob) : TableTokenizer(blob), unchanged_(unchanged_ascii(tables())) {
    if (tables().header().unk < 0) blob_index_error("unk", 0, 0);
  }

  std::string decode(std::span<const TokenId> ids, bool keep_special) const override {
    std::string text;
    bool first = true;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (is_skipped(ids[i], keep_special)) continue;
      if (is_byte_token(ids[i]))
        text += bytes_at(ids, i, keep_special);
      else
        text += with_spaces(tables().token(ids[i]), first ? "" : " ");
      first = false;
    }
    return text;
  }

  std::string token_bytes(TokenId id) const override {
    return is_skipped(id, true) ? std::string() : with_spaces(tables().token(id));
  }

 protected:
  void encode_plain(std::string_view text, uint32_t base, bool parse_special, PieceSink& sink) const override {
    UnigramEncoder encoder(tables(), sink);
    if (!added_normalized().empty()) return encode_around_added(text, base, parse_special, encoder, sink);
    normalize(text, base, [&](char32_t c, Origin origin) { encoder.add(c, origin); });
    encoder.finish_word();
  }

  std::optional<TokenId> find_in_vocabulary(std::string_view token) const override {
    std::optional<TokenId> found;
    PieceTrie(tables()).walk(token, 0, [&](TokenId id, size_t end) {
      if (end == token.size()) found = id;
    });
    return found;
  }

 private:
  template <class Emit>
  void normalize(std::string_view text, uint32_t base, Emit emit) const {
    UnigramNormalizer<Emit>(tables(), unchanged_, std::move(emit)).normalize(text, base);
  }

  void encode_around_added(std::string_view text, uint32_t base, bool parse_special, UnigramEncoder& encoder,
                           PieceSink& sink) const {
    NormalizedText normalized;
    normalize(text, base, [&](char32_t c, Origin origin) { normalized.append(c, origin); });
    for (const AddedTokens::Span& span : added_normalized().split(normalized.text, parse_special)) {
      if (span.id) {
        sink.map(0, &normalized.origins);
        sink.add(*span.id, span.begin, span.end);
        continue;
      }
      for (size_t at = span.begin; at < span.end;) {
        const CodePoint point = decode_utf8(normalized.text, at);
        encoder.add(point.value, normalized.origins[at]);
        at += point.num_bytes;
      }
      encoder.finish_word();
    }
  }

  UnchangedAscii unchanged_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_unigram(std::span<const std::byte> blob) {
  return std::make_unique<Unigram>(blob);
}

}  // namespace frugal
