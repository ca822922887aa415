#include "model/tokenize/tokenizer_blob.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <numeric>
#include <type_traits>

#include "base/checked.h"
#include "base/error.h"
#include "model/tokenize/code_point_map.h"

namespace frugal {

static_assert(std::endian::native == std::endian::little, "the blob's tables are read in place");
static_assert(sizeof(BlobHeader) == 48 + 16 * static_cast<size_t>(BlobSection::count));

namespace {

constexpr std::array<std::string_view, static_cast<size_t>(BlobSection::count)> kSectionNames = {
    "token_offsets", "token_bytes", "token_flags", "vocab_buckets", "vocab_entries", "merge_buckets", "merge_entries",
    "byte_ids",      "added",       "added_bytes", "prefix",        "suffix",        "steps",         "trie",
    "scores",        "map_blocks",  "map_values",  "map_text",      "separator",     "sequences"};

Error corrupt(std::string message) {
  return Error(Code::corrupt_file, "tokenizer: " + std::move(message)).hint("make the pack again with quantize-model");
}

// The first section that the header lacks.
BlobSection end_of_sections(const BlobHeader& header) {
  if (header.magic == kBlobMagic2) return BlobSection::count;
  return header.kind == BlobKind::unigram ? BlobSection::sequences : BlobSection::trie;
}

size_t header_bytes(const BlobHeader& header) {
  return offsetof(BlobHeader, sections) + static_cast<size_t>(end_of_sections(header)) * sizeof(BlobHeader::Section);
}

BlobHeader read_header(std::span<const std::byte> blob) {
  BlobHeader header;
  const auto read = [&](size_t num_bytes) {
    if (blob.size() < num_bytes)
      throw corrupt(fmt::format("blob has {} bytes, its header alone has {}", blob.size(), num_bytes));
    std::memcpy(&header, blob.data(), num_bytes);
  };
  read(offsetof(BlobHeader, sections));
  if (header.magic != kBlobMagic1 && header.magic != kBlobMagic2)
    throw corrupt("blob does not begin with its magic and version");
  if (header.kind < BlobKind::wordpiece || header.kind > BlobKind::character_bpe)
    throw corrupt(fmt::format("unknown kind {}", static_cast<uint32_t>(header.kind)));
  read(header_bytes(header));
  for (size_t i = 0; i < header.sections.size(); ++i) {
    const BlobHeader::Section& section = header.sections[i];
    if (!fits(section.offset, section.num_bytes, blob.size()))
      throw corrupt(fmt::format("section {} lies outside the blob", kSectionNames[i]));
  }
  return header;
}

// `lowest` is −1 where a token may be absent.
void check_id(const BlobHeader& header, TokenId id, TokenId lowest, std::string_view what) {
  if (id < lowest || (id >= 0 && static_cast<uint32_t>(id) >= header.vocab_size))
    throw corrupt(fmt::format("{} {} is outside the vocabulary of {}", what, id, header.vocab_size));
}

template <class Row>
void append_rows(std::string& blob, BlobHeader& header, BlobSection section, const std::vector<Row>& rows) {
  static_assert(std::is_trivially_copyable_v<Row>);
  blob.resize(round_up(blob.size(), 16));
  header.sections[static_cast<size_t>(section)] = {blob.size(), rows.size() * sizeof(Row)};
  blob.append(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(Row));
}

// Rows sorted into as many buckets as there are rows; buckets[b] is the first row of bucket b.
template <class Row, class HashOf>
std::vector<uint32_t> sort_into_buckets(std::vector<Row>& rows, HashOf hash_of) {
  const size_t num_buckets = std::max<size_t>(rows.size(), 1);
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return hash_of(a) < hash_of(b); });
  std::vector<uint32_t> buckets(num_buckets + 1, 0);
  for (const Row& row : rows) ++buckets[bucket_of(hash_of(row), num_buckets) + 1];
  std::partial_sum(buckets.begin(), buckets.end(), buckets.begin());
  return buckets;
}

std::vector<VocabEntry> vocab_entries(const TokenizerContent& content) {
  std::vector<VocabEntry> entries;
  entries.reserve(content.encodable.size());
  for (const TokenId id : content.encodable) {
    TokenHash hash;
    hash.add(content.tokens[static_cast<size_t>(id)]);
    entries.push_back({hash.value(), id});
  }
  return entries;
}

struct AddedSections {
  std::vector<AddedEntry> entries;
  std::vector<char> bytes;
};

AddedSections added_sections(std::vector<TokenizerContent::Added> added) {
  std::stable_sort(added.begin(), added.end(), [](const auto& a, const auto& b) {
    return std::pair(a.flags & kAddedNormalized, std::string_view(a.match)) <
           std::pair(b.flags & kAddedNormalized, std::string_view(b.match));
  });
  AddedSections sections;
  const auto put = [&](std::string_view text) {
    const auto offset = static_cast<uint32_t>(sections.bytes.size());
    sections.bytes.insert(sections.bytes.end(), text.begin(), text.end());
    return offset;
  };
  for (const auto& token : added) {
    const uint32_t content = put(token.content), match = put(token.match);
    sections.entries.push_back({content, static_cast<uint32_t>(token.content.size()), match,
                                static_cast<uint32_t>(token.match.size()), token.id, token.flags});
  }
  return sections;
}

bool needs_second_version(const TokenizerContent& content) {
  const BlobHeader& header = content.header;
  const bool other_separator = header.kind != BlobKind::unigram && content.separator != content.suffix;
  const bool lowercase_bpe = header.kind == BlobKind::byte_level_bpe && (header.flags & kLowercase) != 0;
  return other_separator || lowercase_bpe || header.kind == BlobKind::character_bpe ||
         (header.flags & ~kFirstVersionFlags) != 0 || !content.sequences.empty();
}

// The sections of Unigrams and of the second version, and the header.
void append_optional_sections(std::string& blob, TokenizerContent content) {
  BlobHeader& header = content.header;
  if (header.kind == BlobKind::unigram) {
    content.scores.resize(header.vocab_size);
    content.scores.push_back(content.unknown_score);
  }
  if (end_of_sections(header) > BlobSection::trie) {
    append_rows(blob, header, BlobSection::trie, content.trie);
    append_rows(blob, header, BlobSection::scores, content.scores);
    append_rows(blob, header, BlobSection::map_blocks, content.map_blocks);
    append_rows(blob, header, BlobSection::map_values, content.map_values);
    append_rows(blob, header, BlobSection::map_text, content.map_text);
    append_rows(blob, header, BlobSection::separator, content.separator);
  }
  if (end_of_sections(header) > BlobSection::sequences)
    append_rows(blob, header, BlobSection::sequences, content.sequences);
  std::memcpy(blob.data(), &header, header_bytes(header));
}

}  // namespace

void blob_index_error(std::string_view table, uint64_t index, uint64_t limit) {
  throw corrupt(fmt::format("index {} into {} of {} rows", index, table, limit));
}

TokenizerTables::TokenizerTables(std::span<const std::byte> blob) : blob_(blob), header_(read_header(blob)) {
  const auto table = [&](auto& rows, BlobSection which) {
    rows = std::remove_reference_t<decltype(rows)>(section(which), kSectionNames[static_cast<size_t>(which)]);
  };
  table(token_offsets_, BlobSection::token_offsets);
  table(token_flags_, BlobSection::token_flags);
  table(vocab_buckets_, BlobSection::vocab_buckets);
  table(vocab_entries_, BlobSection::vocab_entries);
  table(merge_buckets_, BlobSection::merge_buckets);
  table(merge_entries_, BlobSection::merge_entries);
  table(byte_ids_, BlobSection::byte_ids);
  table(added_, BlobSection::added);
  table(trie_, BlobSection::trie);
  table(scores_, BlobSection::scores);
  table(map_blocks_, BlobSection::map_blocks);
  table(map_values_, BlobSection::map_values);
  table(sequences_, BlobSection::sequences);
  const auto bytes = section(BlobSection::token_bytes);
  token_bytes_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (token_offsets_.size() != uint64_t{header_.vocab_size} + 1 || token_flags_.size() != header_.vocab_size)
    throw corrupt(fmt::format("token_offsets or token_flags is not that of {} tokens", header_.vocab_size));
  if (vocab_buckets_.size() < 2 || merge_buckets_.size() < 2) throw corrupt("a hash table has no bucket");
  const bool has_bytes =
      header_.kind == BlobKind::byte_level_bpe || header_.kind == BlobKind::character_bpe || has(kByteFallback);
  if (byte_ids_.size() != (has_bytes ? has(kEndOfWord) ? 512 : 256 : 0)) throw corrupt("byte_ids has the wrong size");
  const bool unigram = header_.kind == BlobKind::unigram;
  if (unigram && (trie_.size() == 0 || scores_.size() != uint64_t{header_.vocab_size} + 1))
    throw corrupt("trie or scores has the wrong size");
  if ((unigram || has(kCharsmap) || has(kSplitSpaces)) && map_blocks_.size() != kCodePointBlocks)
    throw corrupt("map_blocks has the wrong size");
  for (const auto& [id, what] :
       {std::pair(header_.bos, "bos"), {header_.eos, "eos"}, {header_.pad, "pad"}, {header_.unk, "unk"}})
    check_id(header_, id, -1, what);
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) check_id(header_, byte_ids_[byte], -1, "byte_ids");
  for (size_t row = 0; row < added_.size(); ++row) check_id(header_, added_[row].id, 0, "added token");
}

std::span<const std::byte> TokenizerTables::section(BlobSection which) const {
  const BlobHeader::Section& place = header_.sections[static_cast<size_t>(which)];
  return blob_.subspan(place.offset, place.num_bytes);
}

std::string_view TokenizerTables::token(TokenId id) const {
  const uint32_t begin = token_offsets_[static_cast<size_t>(id)], end = token_offsets_[static_cast<size_t>(id) + 1];
  if (begin > end || end > token_bytes_.size()) blob_index_error("token_bytes", end, token_bytes_.size());
  return token_bytes_.substr(begin, end - begin);
}

std::optional<TokenId> TokenizerTables::find(uint32_t hash, std::string_view head, std::string_view tail,
                                             bool raw) const {
  const size_t bucket = bucket_of(hash, vocab_buckets_.size() - 1);
  const uint32_t end = vocab_buckets_[bucket + 1];
  for (uint32_t row = vocab_buckets_[bucket]; row < end; ++row) {
    const VocabEntry entry = vocab_entries_[row];
    if (entry.hash != hash) continue;
    if (!contains(entry.id)) blob_index_error("token_offsets", static_cast<uint32_t>(entry.id), header_.vocab_size);
    const std::string_view bytes = token(entry.id);
    const bool same = bytes.size() == head.size() + tail.size() && bytes.starts_with(head) && bytes.ends_with(tail);
    if (same && ((flags(entry.id) & kRawToken) != 0) == raw) return entry.id;
  }
  return std::nullopt;
}

std::string_view TokenizerTables::added_bytes(uint32_t offset, uint32_t num_bytes) const {
  const auto bytes = section(BlobSection::added_bytes);
  if (!fits(offset, num_bytes, bytes.size())) blob_index_error("added_bytes", offset, bytes.size());
  return {reinterpret_cast<const char*>(bytes.data()) + offset, num_bytes};
}

std::string_view TokenizerTables::map_text(uint32_t offset, uint32_t num_bytes) const {
  const auto bytes = section(BlobSection::map_text);
  if (!fits(offset, num_bytes, bytes.size())) blob_index_error("map_text", offset, bytes.size());
  return {reinterpret_cast<const char*>(bytes.data()) + offset, num_bytes};
}

std::vector<TokenId> TokenizerTables::separator() const {
  const bool is_suffix = end_of_sections(header_) <= BlobSection::separator;
  return ids(is_suffix ? BlobSection::suffix : BlobSection::separator);
}

std::vector<TokenId> TokenizerTables::ids(BlobSection which) const {
  const std::string_view name = kSectionNames[static_cast<size_t>(which)];
  const BlobTable<TokenId> rows(section(which), name);
  // A template adds a handful; more is not a template.
  if (rows.size() > 64) throw corrupt(fmt::format("{} has {} ids", name, rows.size()));
  std::vector<TokenId> found(rows.size());
  for (size_t i = 0; i < found.size(); ++i) {
    found[i] = rows[i];
    if (!contains(found[i])) blob_index_error(name, static_cast<uint32_t>(found[i]), header_.vocab_size);
  }
  return found;
}

std::string lay_out_blob(TokenizerContent content) {
  BlobHeader& header = content.header;
  header.vocab_size = static_cast<uint32_t>(content.tokens.size());
  if (content.separator.empty() && header.kind != BlobKind::unigram) content.separator = content.suffix;
  if (needs_second_version(content)) header.magic = kBlobMagic2;
  std::vector<uint32_t> offsets{0};
  std::vector<char> bytes;
  for (const std::string& token : content.tokens) {
    bytes.insert(bytes.end(), token.begin(), token.end());
    offsets.push_back(static_cast<uint32_t>(bytes.size()));
    header.max_token_bytes = std::max(header.max_token_bytes, static_cast<uint32_t>(token.size()));
  }
  std::vector<VocabEntry> entries = vocab_entries(content);
  const auto vocab_buckets = sort_into_buckets(entries, [](const VocabEntry& entry) { return entry.hash; });
  const auto merge_buckets =
      sort_into_buckets(content.merges, [](const MergeEntry& entry) { return merge_hash(entry.left, entry.right); });
  const AddedSections added = added_sections(std::move(content.added));

  std::string blob(header_bytes(header), '\0');
  append_rows(blob, header, BlobSection::token_offsets, offsets);
  append_rows(blob, header, BlobSection::token_bytes, bytes);
  append_rows(blob, header, BlobSection::token_flags, content.token_flags);
  append_rows(blob, header, BlobSection::vocab_buckets, vocab_buckets);
  append_rows(blob, header, BlobSection::vocab_entries, entries);
  append_rows(blob, header, BlobSection::merge_buckets, merge_buckets);
  append_rows(blob, header, BlobSection::merge_entries, content.merges);
  append_rows(blob, header, BlobSection::byte_ids, content.byte_ids);
  append_rows(blob, header, BlobSection::added, added.entries);
  append_rows(blob, header, BlobSection::added_bytes, added.bytes);
  append_rows(blob, header, BlobSection::prefix, content.prefix);
  append_rows(blob, header, BlobSection::suffix, content.suffix);
  append_rows(blob, header, BlobSection::steps, content.steps);
  append_optional_sections(blob, std::move(content));
  return blob;
}

}  // namespace frugal
