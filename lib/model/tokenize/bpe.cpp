// Byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): each piece of the pre-tokeniser starts as its bytes,
// or as its characters with the bytes of unknown ones, and the adjacent pair of lowest rank, leftmost first, is merged
// until no pair has a rank.
//
// Short pieces scan all pairs for the lowest rank; long ones keep a heap of candidates, so that a piece of n bytes
// takes O(n log n). A long piece uses up to 30 bytes of memory per byte while it is merged, none afterwards.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "model/tokenize/byte_level.h"
#include "model/tokenize/tokenizer_base.h"
#include "model/tokenize/unigram_normalizer.h"
#include "model/unicode/pre_tokenize.h"

namespace frugal {

namespace {

constexpr uint32_t kNoMerge = std::numeric_limits<uint32_t>::max();
// Up to this many symbols a scan is faster than the heap.
constexpr size_t kMaxScannedSymbols = 64;

class BpeEncoder {
 public:
  BpeEncoder(const TokenizerTables& tables, PieceSink& sink) : tables_(tables), sink_(sink) {}

  // Tokens of the piece text[begin, end).
  void encode_piece(std::string_view text, size_t begin, size_t end) {
    const std::string_view piece = text.substr(begin, end - begin);
    if (tables_.has(kIgnoreMerges)) {
      TokenHash hash;
      hash.add(piece);
      if (const auto whole = tables_.find(hash.value(), {}, piece)) return sink_.add(*whole, begin, end);
    }
    ids_.clear();
    starts_.clear();
    after_unknown_ = false;
    ids_.reserve(piece.size());
    starts_.reserve(piece.size());
    if (tables_.header().kind == BlobKind::character_bpe)
      read_characters(piece, begin);
    else
      read_bytes(piece, begin);
    if (ids_.size() <= kMaxScannedSymbols)
      merge_by_scan();
    else
      merge_by_heap();
    for (size_t i = 0; i < ids_.size(); ++i) sink_.add(ids_[i], starts_[i], i + 1 < ids_.size() ? starts_[i + 1] : end);
  }

 private:
  // Fills ids_ and starts_ with the bytes of a piece. A byte without a token becomes unk or is dropped.
  void read_bytes(std::string_view piece, size_t begin) {
    const bool marks_end = tables_.has(kEndOfWord);
    for (size_t i = 0; i < piece.size(); ++i) {
      const auto byte = static_cast<unsigned char>(piece[i]);
      const TokenId id = marks_end && i + 1 == piece.size() ? tables_.last_byte_id(byte) : tables_.byte_id(byte);
      const bool unknown = id < 0;
      const bool fused = unknown && after_unknown_ && tables_.has(kFuseUnknown);
      after_unknown_ = unknown;
      if (fused || (unknown && !tables_.has(kUnknownForBytes))) continue;
      ids_.push_back(unknown ? tables_.header().unk : id);
      starts_.push_back(static_cast<uint32_t>(begin + i));
    }
  }

  // The same with the characters of a piece. A character without a token becomes the tokens of its bytes.
  void read_characters(std::string_view piece, size_t begin) {
    for (size_t at = 0; at < piece.size();) {
      const std::string_view character = piece.substr(at, decode_utf8(piece, at).num_bytes);
      TokenHash hash;
      hash.add(character);
      if (const auto id = tables_.find(hash.value(), {}, character)) {
        ids_.push_back(*id);
        starts_.push_back(static_cast<uint32_t>(begin + at));
        after_unknown_ = false;
      } else {
        read_bytes(character, begin + at);
      }
      at += character.size();
    }
  }

  uint32_t rank(TokenId left, TokenId right) const {
    const auto merge = tables_.merge(left, right);
    return merge ? merge->rank : kNoMerge;
  }

  TokenId merged(TokenId left, TokenId right) const {
    const TokenId id = tables_.merge(left, right)->merged;
    if (!tables_.contains(id))
      blob_index_error("merge_entries", static_cast<uint32_t>(id), tables_.header().vocab_size);
    return id;
  }

  void merge_by_scan() {
    uint32_t ranks[kMaxScannedSymbols];
    size_t count = ids_.size();
    for (size_t i = 0; i + 1 < count; ++i) ranks[i] = rank(ids_[i], ids_[i + 1]);
    while (count > 1) {
      const size_t at = static_cast<size_t>(std::min_element(ranks, ranks + count - 1) - ranks);
      if (ranks[at] == kNoMerge) break;
      ids_[at] = merged(ids_[at], ids_[at + 1]);
      ids_.erase(ids_.begin() + static_cast<ptrdiff_t>(at) + 1);
      starts_.erase(starts_.begin() + static_cast<ptrdiff_t>(at) + 1);
      std::copy(ranks + at + 1, ranks + count - 1, ranks + at);
      --count;
      if (at > 0) ranks[at - 1] = rank(ids_[at - 1], ids_[at]);
      if (at + 1 < count) ranks[at] = rank(ids_[at], ids_[at + 1]);
    }
  }

  // A symbol that spans several slots of ids_ lives in the first; spans_ holds its width there and in the last, so that
  // both neighbours are found by arithmetic. The heap orders candidates by rank, then by slot; one whose pair has
  // changed since is recognised by its rank and dropped.
  void merge_by_heap() {
    const size_t count = ids_.size();
    spans_.assign(count, 1);
    heap_.clear();
    for (size_t i = 0; i + 1 < count; ++i) push_candidate(i, i + 1, false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const auto expected = static_cast<uint32_t>(heap_.back() >> 32);
      const auto left = static_cast<uint32_t>(heap_.back());
      heap_.pop_back();
      if (ids_[left] == kConsumed) continue;
      const size_t right = left + spans_[left];
      if (right >= count || rank(ids_[left], ids_[right]) != expected) continue;
      merge_at(left, right, count);
    }
    compact();
  }

  void merge_at(size_t left, size_t right, size_t count) {
    ids_[left] = merged(ids_[left], ids_[right]);
    ids_[right] = kConsumed;
    const uint32_t span = spans_[left] + spans_[right];
    spans_[left] = spans_[left + span - 1] = span;
    if (left > 0) push_candidate(left - spans_[left - 1], left, true);
    if (left + span < count) push_candidate(left, left + span, true);
  }

  void push_candidate(size_t left, size_t right, bool sift) {
    const uint32_t found = rank(ids_[left], ids_[right]);
    if (found == kNoMerge) return;
    heap_.push_back(static_cast<uint64_t>(found) << 32 | left);
    if (sift) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void compact() {
    size_t kept = 0;
    for (size_t i = 0; i < ids_.size(); i += spans_[i]) {
      ids_[kept] = ids_[i];
      starts_[kept++] = starts_[i];
    }
    ids_.resize(kept);
    starts_.resize(kept);
    heap_ = {};
    spans_ = {};
  }

  static constexpr TokenId kConsumed = -1;

  const TokenizerTables& tables_;
  PieceSink& sink_;
  std::vector<TokenId> ids_;
  std::vector<uint32_t> starts_;  // first byte of each symbol
  std::vector<uint32_t> spans_;
  std::vector<uint64_t> heap_;  // rank << 32 | slot
  bool after_unknown_ = false;  // the byte before is unknown
};

class Bpe : public TableTokenizer {
 public:
  explicit Bpe(std::span<const std::byte> blob)
      : TableTokenizer(blob),
        is_character_(tables().header().kind == BlobKind::character_bpe),
        normalizes_(is_character_ && (tables().has(kCharsmap) || tables().has(kSplitSpaces))),
        changes_(bpe_changes(tables().header().flags)) {
    const auto steps = tables().section(BlobSection::steps);
    if (steps.size() > kMaxPreTokenizeSteps) blob_index_error("steps", steps.size(), kMaxPreTokenizeSteps);
    for (const std::byte step : steps) {
      if (!is_pre_tokenize_step(static_cast<uint8_t>(step))) blob_index_error("steps", static_cast<uint8_t>(step), 8);
      steps_.push_back(static_cast<PreTokenizeStep>(step));
    }
    if (tables().has(kUnknownForBytes) && tables().header().unk < 0) blob_index_error("unk", 0, 0);
    if (normalizes_) unchanged_ = unchanged_ascii(tables());
  }

  std::string decode(std::span<const TokenId> ids, bool keep_special) const override {
    std::string bytes;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (is_skipped(ids[i], keep_special)) continue;
      bytes += is_byte_token(ids[i]) ? bytes_at(ids, i, keep_special) : token_bytes(ids[i]);
    }
    if (tables().has(kMarkBegin) && bytes.starts_with(' ')) bytes.erase(0, 1);
    return repair_utf8(bytes);
  }

  std::string token_bytes(TokenId id) const override {
    if (is_skipped(id, true)) return {};
    const std::string_view token = tables().token(id);
    return is_character_ && !is_byte_token(id) ? with_spaces(token) : std::string(token);
  }

 protected:
  void encode_plain(std::string_view text, uint32_t base, bool parse_special, PieceSink& sink) const override {
    if (is_valid_utf8(text)) return encode_valid(text, base, nullptr, parse_special, sink);
    const NormalizedText repaired = repair_with_origins(text);
    encode_valid(repaired.text, base, &repaired.origins, parse_special, sink);
  }

  std::optional<TokenId> find_in_vocabulary(std::string_view token) const override {
    if (is_character_) return find_character_token(token);
    const auto bytes = from_byte_level(token);
    const std::string_view wanted = bytes ? std::string_view(*bytes) : token;
    TokenHash hash;
    hash.add(wanted);
    return tables().find(hash.value(), {}, wanted, !bytes);
  }

 private:
  std::optional<TokenId> find_character_token(std::string_view token) const {
    for (int byte = 0; byte < 256 && token.size() == 6 && token.starts_with("<0x"); ++byte)
      if (token == fmt::format("<0x{:02X}>", byte)) return tables().byte_id(static_cast<unsigned char>(byte));
    TokenHash hash;
    hash.add(token);
    return tables().find(hash.value(), {}, token);
  }

  void encode_valid(std::string_view text, uint32_t base, const std::vector<Origin>* origins, bool parse_special,
                    PieceSink& sink) const {
    NormalizedText composed, normalized, changed, marked;
    const auto use = [&](NormalizedText& next) {
      if (origins != nullptr) compose_origins(next.origins, *origins);
      text = next.text, origins = &next.origins;
    };
    if (normalizes_) use(normalized = normalize(text));
    if (tables().has(kNfc) && !is_surely_nfc(text)) use(composed = to_nfc(text));
    if (changes_.any()) use(changed = change_characters(text, changes_));
    if (tables().has(kMarkBegin) && !text.empty()) {
      marked = with_mark(text, origins);
      text = marked.text, origins = &marked.origins;
    }
    encode_normalized(text, base, origins, parse_special, sink);
  }

  // What SentencePiece does before it escapes spaces.
  NormalizedText normalize(std::string_view text) const {
    NormalizedText normalized;
    std::optional<Origin> space;  // spaces that may be the last
    const auto emit = [&](char32_t c, Origin origin) {
      if (tables().has(kSplitSpaces) && c == ' ') {
        if (!normalized.text.empty()) space = space ? Origin{space->begin, origin.end} : origin;
        return;
      }
      if (space) normalized.append(' ', *space);
      space.reset();
      normalized.append(c, origin);
    };
    UnigramNormalizer(tables(), unchanged_, emit).normalize(text, 0);
    // SentencePiece takes a U+2581 at the end for a space.
    while (tables().has(kSplitSpaces) && (normalized.text.ends_with("\u2581") || normalized.text.ends_with(' '))) {
      normalized.text.resize(normalized.text.size() - (normalized.text.back() == ' ' ? 1 : 3));
      normalized.origins.resize(normalized.text.size());
    }
    return normalized;
  }

  // A text behind U+2581, which comes from no byte of it.
  static NormalizedText with_mark(std::string_view text, const std::vector<Origin>* origins) {
    NormalizedText marked;
    const uint32_t begin = origins != nullptr ? origins->front().begin : 0;
    marked.append(kSpaceMark, {begin, begin});
    marked.text += text;
    marked.origins.reserve(marked.text.size());
    for (uint32_t at = 0; at < text.size(); ++at)
      marked.origins.push_back(origins != nullptr ? (*origins)[at] : Origin{at, at + 1});
    return marked;
  }

  static void compose_origins(std::vector<Origin>& inner, const std::vector<Origin>& outer) {
    for (Origin& origin : inner) origin = {outer[origin.begin].begin, outer[origin.end - 1].end};
  }

  void encode_normalized(std::string_view text, uint32_t base, const std::vector<Origin>* origins, bool parse_special,
                         PieceSink& sink) const {
    BpeEncoder encoder(tables(), sink);
    sink.map(base, origins);
    const auto emit = [&](size_t begin, size_t end) { encoder.encode_piece(text, begin, end); };
    for (const AddedTokens::Span& span : added_normalized().split(text, parse_special)) {
      if (span.id)
        sink.add(*span.id, span.begin, span.end);
      else if (tables().has(kAddPrefixSpace) && text[span.begin] != ' ')
        encode_prefixed(text.substr(span.begin, span.end - span.begin), span.begin, base, origins, sink);
      else
        pre_tokenize(std::span<const PreTokenizeStep>(steps_), text, span.begin, span.end, emit);
    }
  }

  // encode_normalized() for one span, after a space that comes from no byte of the text.
  void encode_prefixed(std::string_view span, size_t span_begin, uint32_t base, const std::vector<Origin>* origins,
                       PieceSink& sink) const {
    const std::string text = " " + std::string(span);
    std::vector<Origin> shifted(text.size());
    for (size_t i = 0; i < span.size(); ++i) {
      const auto at = static_cast<uint32_t>(span_begin + i);
      shifted[i + 1] = origins != nullptr ? (*origins)[at] : Origin{at, at + 1};
    }
    shifted[0] = {shifted[1].begin, shifted[1].begin};
    sink.map(base, &shifted);
    BpeEncoder encoder(tables(), sink);
    const auto emit = [&](size_t begin, size_t end) { encoder.encode_piece(text, begin, end); };
    pre_tokenize(std::span<const PreTokenizeStep>(steps_), text, 0, text.size(), emit);
    sink.map(base, origins);
  }

  bool is_character_, normalizes_;
  UnchangedAscii unchanged_;
  std::vector<PreTokenizeStep> steps_;
  CharacterChanges changes_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_bpe(std::span<const std::byte> blob) {
  return std::make_unique<Bpe>(blob);
}

}  // namespace frugal
