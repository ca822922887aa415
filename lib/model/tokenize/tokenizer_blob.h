// The "tokenizer" blob of a pack: a fixed header, then flat little-endian tables, read in place. The blob is untrusted:
// opening checks that sections lie inside it, each access checks its index, and both throw Error(corrupt_file). So
// opening touches one page, whatever the size of the vocabulary.
//
// Sections, in the order of BlobSection; numbers are 32-bit unless noted:
//   token_offsets   vocab + 1 offsets into token_bytes, ascending
//   token_bytes     WordPiece: tokens as in the vocabulary; BPE: the bytes that each token encodes
//   token_flags     8 bits a token, TokenFlag
//   vocab_buckets   buckets + 1 offsets into vocab_entries; a token's bucket is hash · buckets / 2³²
//   vocab_entries   {hash, id}
//   merge_buckets   as vocab_buckets, for merge_entries
//   merge_entries   {left id, right id, rank, merged id}
//   byte_ids        BPE, and Unigram with kByteFallback: the id of each byte, or −1; with kEndOfWord then those of the
//                   last byte of a word
//   added           {content offset, bytes, match offset, bytes, id, flags}, sorted by the matched bytes; first the
//   tokens
//                   that match the text as given, then those that match normalised text
//   added_bytes     the strings of `added`
//   prefix, suffix  ids that the template adds before and after a text
//   steps           8 bits a step of the pre-tokeniser, PreTokenizeStep
// Only in a Unigram's blob and in one of the second version, whose headers have as many sections more:
//   trie            {base, parent, token}, piece_trie.h
//   scores          vocab + 1 64-bit floats; the last is that of an unknown character
//   map_blocks      16 bits for each 128 code points, code_point_map.h
//   map_values      {offset << 8 | bytes} into map_text
//   map_text        the strings that replace code points
//   separator       ids that the template adds between two texts
// Only in a blob of the second version:
//   sequences       {key offset, bytes, text offset, bytes} into map_text, sorted by the key: charsmap.h
//
// The second version has every section, whatever its kind. It is written only for tokenizers that need a flag or a
// section that the first one lacks, so that other packs stay readable by older programs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenize/tokenizer.h"

namespace frugal {

enum class BlobKind : uint32_t { wordpiece = 1, byte_level_bpe = 2, unigram = 3, character_bpe = 4 };

enum BlobFlag : uint32_t {
  kCleanText = 1 << 0,
  kChineseChars = 1 << 1,
  kStripAccents = 1 << 2,
  kLowercase = 1 << 3,
  kDecodeCleanup = 1 << 4,
  kNfc = 1 << 5,
  kIgnoreMerges = 1 << 6,
  kAddPrefixSpace = 1 << 7,
  kFuseUnknown = 1 << 8,
  kUnknownForBytes = 1 << 9,  // BPE: a byte without a token becomes unk; otherwise it is dropped
  kCollapseSpaces = 1 << 10,  // Unigram: a run of spaces is one
  // Only in the second version:
  kCharsmap = 1 << 11,         // Unigram, BPE of characters: the replacements are a charsmap's, by grapheme cluster
  kSplitWhitespace = 1 << 12,  // Unigram: words end at white space, which is dropped
  kStripRight = 1 << 13,       // Unigram: white space at the end of a text is dropped
  kSpacesAreMark = 1 << 14,    // Unigram, with kCollapseSpaces: a run of two spaces and more is U+2581
  kByteFallback = 1 << 15,     // Unigram: unknown characters are the tokens of their bytes, where all of them exist
  kJoinSpaces = 1 << 16,       // BPE: a run of white space is a space; with kLowercase, after kNfc
  kMarkSpaces = 1 << 18,       // BPE: a space is U+2581
  kEndOfWord = 1 << 17,        // BPE: the last byte of a word has a token of its own
  kMarkBegin = 1 << 19,        // BPE of characters: U+2581 is put before a text
  kSplitSpaces = 1 << 20,  // Unigram: words end at spaces, which are dropped; BPE of characters: spaces at both ends
                           // are dropped, and of a run all but one
};
constexpr uint32_t kFirstVersionFlags = (1 << 11) - 1;

enum TokenFlag : uint8_t {
  kSpecialToken = 1 << 0,
  kRawToken = 1 << 1,     // byte-level BPE: its bytes are its name, not byte-level characters; no text encodes to it;
                          // BPE of characters, Unigram: the token of a byte
  kAbsentToken = 1 << 2,  // a hole in the vocabulary
};

enum AddedFlag : uint32_t {
  kAddedSpecial = 1 << 0,
  kAddedNormalized = 1 << 1,
  kAddedSingleWord = 1 << 2,
  kAddedLeftStrip = 1 << 3,
  kAddedRightStrip = 1 << 4,
};

enum class BlobSection : uint32_t {
  token_offsets,
  token_bytes,
  token_flags,
  vocab_buckets,
  vocab_entries,
  merge_buckets,
  merge_entries,
  byte_ids,
  added,
  added_bytes,
  prefix,
  suffix,
  steps,
  trie,  // this and those below: Unigram
  scores,
  map_blocks,
  map_values,
  map_text,
  separator,
  sequences,  // the second version
  count
};

/// Of the two versions.
constexpr std::array<char, 8> kBlobMagic1 = {'F', 'R', 'G', 'T', 'O', 'K', '0', '1'};
constexpr std::array<char, 8> kBlobMagic2 = {'F', 'R', 'G', 'T', 'O', 'K', '0', '2'};

/// The longest word that WordPiece splits: splitting takes up to the square of its length. BERT says 100.
constexpr uint32_t kMaxWordChars = 1024;

/// In the first version it ends before `sequences`, or before `trie` unless the kind is Unigram.
struct BlobHeader {
  std::array<char, 8> magic = kBlobMagic1;
  BlobKind kind = BlobKind::wordpiece;
  uint32_t flags = 0;
  uint32_t vocab_size = 0;
  uint32_t max_token_bytes = 0;
  uint32_t max_word_chars = 0;  // WordPiece: longer words are unk
  int32_t bos = -1, eos = -1, pad = -1, unk = -1;
  uint32_t reserved = 0;
  struct Section {
    uint64_t offset = 0;
    uint64_t num_bytes = 0;
  };
  std::array<Section, static_cast<size_t>(BlobSection::count)> sections;
};

struct VocabEntry {
  uint32_t hash;
  TokenId id;
};
struct MergeEntry {
  TokenId left, right;
  uint32_t rank;
  TokenId merged;
};
/// A node without a token has token −1; a slot without a node has a parent that no node has.
struct TrieNode {
  uint32_t base = 0;
  uint32_t parent = 0xFFFFFFFF;
  TokenId token = -1;
};
struct SequenceEntry {
  uint32_t key_offset, key_bytes, text_offset, text_bytes;
};
struct AddedEntry {
  uint32_t content_offset, content_bytes, match_offset, match_bytes;
  TokenId id;
  uint32_t flags;
};

/// FNV-1a: the hashes of all prefixes of a word take one pass.
class TokenHash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) state_ = (state_ ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  }
  uint32_t value() const { return static_cast<uint32_t>((state_ ^ state_ >> 29) * 0x9E3779B97F4A7C15 >> 32); }

 private:
  uint64_t state_ = 0xCBF29CE484222325;
};

inline uint32_t merge_hash(TokenId left, TokenId right) {
  const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  return static_cast<uint32_t>((key ^ key >> 31) * 0x9E3779B97F4A7C15 >> 32);
}

inline size_t bucket_of(uint32_t hash, size_t num_buckets) {
  return static_cast<uint64_t>(hash) * num_buckets >> 32;
}

[[noreturn]] void blob_index_error(std::string_view table, uint64_t index, uint64_t limit);

/// The rows of a section, at any alignment.
template <class Row>
class BlobTable {
 public:
  BlobTable() = default;
  BlobTable(std::span<const std::byte> bytes, std::string_view name)
      : data_(bytes.data()), count_(bytes.size() / sizeof(Row)), name_(name) {}

  size_t size() const { return count_; }
  Row operator[](size_t row) const {
    if (row >= count_) [[unlikely]]
      blob_index_error(name_, row, count_);
    Row value;
    std::memcpy(&value, data_ + row * sizeof(Row), sizeof(Row));
    return value;
  }

 private:
  const std::byte* data_ = nullptr;
  size_t count_ = 0;
  std::string_view name_;
};

/// A blob's tables. Borrows the blob.
class TokenizerTables {
 public:
  /// Throws Error(corrupt_file) if the header, a section's place or the size of a table is impossible.
  explicit TokenizerTables(std::span<const std::byte> blob);

  const BlobHeader& header() const { return header_; }
  bool has(BlobFlag flag) const { return (header_.flags & flag) != 0; }
  bool contains(TokenId id) const { return id >= 0 && static_cast<uint32_t>(id) < header_.vocab_size; }

  /// The bytes of a token; contains(id) must be true.
  std::string_view token(TokenId id) const;
  uint8_t flags(TokenId id) const { return token_flags_[static_cast<size_t>(id)]; }

  /// The token whose bytes are head + tail and whose kRawToken flag is `raw`; `hash` is TokenHash's of all the bytes.
  std::optional<TokenId> find(uint32_t hash, std::string_view head, std::string_view tail, bool raw = false) const;

  std::optional<MergeEntry> merge(TokenId left, TokenId right) const {
    const uint32_t hash = merge_hash(left, right);
    const size_t bucket = bucket_of(hash, merge_buckets_.size() - 1);
    const uint32_t end = merge_buckets_[bucket + 1];
    for (uint32_t row = merge_buckets_[bucket]; row < end; ++row) {
      const MergeEntry entry = merge_entries_[row];
      if (entry.left == left && entry.right == right) return entry;
    }
    return std::nullopt;
  }

  TokenId byte_id(unsigned char byte) const { return byte_ids_[byte]; }
  TokenId last_byte_id(unsigned char byte) const { return byte_ids_[256U + byte]; }
  const BlobTable<AddedEntry>& added() const { return added_; }
  // Unigram:
  const BlobTable<TrieNode>& trie() const { return trie_; }
  const BlobTable<double>& scores() const { return scores_; }
  const BlobTable<uint16_t>& map_blocks() const { return map_blocks_; }
  const BlobTable<uint32_t>& map_values() const { return map_values_; }
  const BlobTable<SequenceEntry>& sequences() const { return sequences_; }
  std::string_view map_text(uint32_t offset, uint32_t num_bytes) const;
  std::string_view added_bytes(uint32_t offset, uint32_t num_bytes) const;
  std::vector<TokenId> prefix() const { return ids(BlobSection::prefix); }
  std::vector<TokenId> suffix() const { return ids(BlobSection::suffix); }
  std::vector<TokenId> separator() const;
  std::span<const std::byte> section(BlobSection section) const;

 private:
  std::vector<TokenId> ids(BlobSection section) const;

  std::span<const std::byte> blob_;
  BlobHeader header_;
  BlobTable<uint32_t> token_offsets_, vocab_buckets_, merge_buckets_;
  BlobTable<uint8_t> token_flags_;
  BlobTable<VocabEntry> vocab_entries_;
  BlobTable<MergeEntry> merge_entries_;
  BlobTable<TokenId> byte_ids_;
  BlobTable<AddedEntry> added_;
  BlobTable<TrieNode> trie_;
  BlobTable<double> scores_;
  BlobTable<uint16_t> map_blocks_;
  BlobTable<uint32_t> map_values_;
  BlobTable<SequenceEntry> sequences_;
  std::string_view token_bytes_;
};

/// The content of a blob, before it is laid out.
struct TokenizerContent {
  struct Added {
    std::string content;
    std::string match;  // content, normalised if the token matches normalised text
    TokenId id = 0;
    uint32_t flags = 0;
  };
  BlobHeader header;                // kind, flags, max_word_chars, bos … unk
  std::vector<std::string> tokens;  // by id
  std::vector<uint8_t> token_flags;
  std::vector<TokenId> encodable;  // ids that vocabulary look-ups may find
  std::vector<MergeEntry> merges;
  std::vector<TokenId> byte_ids;
  std::vector<Added> added;
  std::vector<TokenId> prefix, suffix;
  std::vector<TokenId> separator;  // empty, unless for a Unigram: the suffix
  std::vector<uint8_t> steps;
  // Unigram:
  std::vector<TrieNode> trie;
  std::vector<double> scores;  // by id; added tokens have none
  double unknown_score = 0;
  std::vector<uint16_t> map_blocks;
  std::vector<uint32_t> map_values;
  std::vector<char> map_text;
  std::vector<SequenceEntry> sequences;
};

/// The bytes of the blob.
std::string lay_out_blob(TokenizerContent content);

}  // namespace frugal
