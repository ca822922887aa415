#include "model/vocabulary/vocabulary_builder.h"

#include <fmt/format.h>

#include "model/tokenize/byte_level.h"
#include "model/tokenize/piece_trie.h"
#include "model/vocabulary/code_point_tables.h"

namespace frugal {
namespace {

// Far above any vocabulary in use; bounds the memory that an id in a hostile file can demand.
constexpr int64_t kMaxVocabulary = int64_t{1} << 22;
constexpr size_t kMaxTokenBytes = size_t{1} << 16;

}  // namespace

Error unsupported(std::string_view field, std::string_view found, std::string_view known) {
  return Error(Code::bad_input, fmt::format("tokenizer: {} {} is not supported", field, found))
      .hint(fmt::format("known here: {}", known));
}

Error malformed(std::string_view field, std::string_view problem) {
  return Error(Code::bad_input, fmt::format("tokenizer: {}: {}", field, problem))
      .hint("download the model's tokenizer files again");
}

void VocabularyBuilder::add_token(std::string_view name, int64_t id) {
  reserve(name, id);
  ids_[std::string(name)] = static_cast<TokenId>(id);
}

void VocabularyBuilder::add_added(std::string_view name, int64_t id, uint32_t flags) {
  if (name.empty()) throw malformed("added_tokens", fmt::format("token {} is empty", id));
  if (const auto known = find(name)) id = *known;
  reserve(name, id);
  added_ids_[std::string(name)] = static_cast<TokenId>(id);
  content_.added.push_back({std::string(name), std::string(name), static_cast<TokenId>(id), flags});
}

void VocabularyBuilder::set_end_of_word(std::string_view suffix) {
  end_of_word_ = suffix;
  set(kEndOfWord, true);
}

std::optional<TokenId> VocabularyBuilder::find(std::string_view name) const {
  for (const auto* ids : {&added_ids_, &ids_})
    if (const auto found = ids->find(std::string(name)); found != ids->end()) return found->second;
  return std::nullopt;
}

TokenId VocabularyBuilder::require(std::string_view name, std::string_view field) const {
  const auto id = find(name);
  if (!id) throw malformed(field, fmt::format("token '{}' is not in the vocabulary", name));
  return *id;
}

TokenId VocabularyBuilder::check_id(int64_t id, std::string_view field) const {
  if (id < 0 || id >= static_cast<int64_t>(names_.size()))
    throw malformed(field, fmt::format("id {} is outside the vocabulary of {}", id, names_.size()));
  return static_cast<TokenId>(id);
}

TokenId VocabularyBuilder::byte_token(int byte) const {
  return find_or_none(fmt::format("<0x{:02X}>", byte));
}

void VocabularyBuilder::require_byte_tokens() const {
  for (int byte = 0; byte < 256; ++byte)
    if (byte_token(byte) < 0)
      throw unsupported("byte_fallback", fmt::format("without <0x{:02X}>", byte), "a vocabulary with every byte");
}

void VocabularyBuilder::set_byte_tokens() {
  require_byte_tokens();
  has_byte_tokens_ = true;
  set(kByteFallback, true);
}

void VocabularyBuilder::set_replacements(const Replacements& table, const Sequences& sequences) {
  CodePointTables map = build_code_point_tables({table.begin(), table.end()});
  content_.map_blocks = std::move(map.blocks);
  content_.map_values = std::move(map.values);
  content_.map_text = std::move(map.text);
  content_.sequences.reserve(sequences.size());
  for (const auto& [key, text] : sequences)
    content_.sequences.push_back(
        {put_map_text(key), static_cast<uint32_t>(key.size()), put_map_text(text), static_cast<uint32_t>(text.size())});
}

uint32_t VocabularyBuilder::put_map_text(std::string_view text) {
  const auto offset = static_cast<uint32_t>(content_.map_text.size());
  content_.map_text.insert(content_.map_text.end(), text.begin(), text.end());
  return offset;
}

std::string VocabularyBuilder::finish() {
  content_.token_flags.assign(names_.size(), kAbsentToken);
  for (const auto* ids : {&ids_, &added_ids_})
    for (const auto& [name, id] : *ids) content_.token_flags[static_cast<size_t>(id)] = 0;
  for (const auto& added : content_.added) {
    // A token that matches normalised text is written normalised too.
    if (!ids_.contains(added.content)) names_[static_cast<size_t>(added.id)] = added.match;
    if (added.flags & kAddedSpecial) content_.token_flags[static_cast<size_t>(added.id)] |= kSpecialToken;
  }
  content_.tokens = std::move(names_);
  const BlobKind kind = content_.header.kind;
  if (kind == BlobKind::byte_level_bpe) to_bytes();
  if (kind == BlobKind::character_bpe || has_byte_tokens_) to_byte_tokens();
  if (kind == BlobKind::unigram)
    content_.trie = build_trie();
  else
    for (const auto& [name, id] : ids_) content_.encodable.push_back(id);
  return lay_out_blob(std::move(content_));
}

void VocabularyBuilder::reserve(std::string_view name, int64_t id) {
  if (id < 0 || id >= kMaxVocabulary)
    throw malformed("vocab", fmt::format("id {} of token '{:.40}' is out of range", id, name));
  if (name.size() > kMaxTokenBytes) throw malformed("vocab", fmt::format("token {} has {} bytes", id, name.size()));
  if (static_cast<size_t>(id) >= names_.size()) names_.resize(static_cast<size_t>(id) + 1);
  names_[static_cast<size_t>(id)] = std::string(name);
}

// No text encodes to a special token, nor to that of a byte.
std::vector<TrieNode> VocabularyBuilder::build_trie() const {
  std::vector<std::pair<std::string_view, TokenId>> pieces;
  for (const auto& [name, id] : ids_)
    if (!name.empty() && !(content_.token_flags[static_cast<size_t>(id)] & (kSpecialToken | kRawToken)))
      pieces.emplace_back(name, id);
  return build_piece_trie(std::move(pieces));
}

void VocabularyBuilder::to_bytes() {
  const auto put_bytes = [&](const std::string& suffix) {
    for (int byte = 0; byte < 256; ++byte) {
      const auto found = ids_.find(to_byte_level(static_cast<unsigned char>(byte)) + suffix);
      content_.byte_ids.push_back(found == ids_.end() ? -1 : found->second);
    }
  };
  put_bytes("");
  if (!end_of_word_.empty()) put_bytes(end_of_word_);
  for (size_t id = 0; id < content_.tokens.size(); ++id) {
    auto bytes = from_byte_level(content_.tokens[id]);
    if (bytes)
      content_.tokens[id] = std::move(*bytes);
    else
      content_.token_flags[id] |= kRawToken;
  }
}

void VocabularyBuilder::to_byte_tokens() {
  for (int byte = 0; byte < 256; ++byte) {
    const TokenId id = byte_token(byte);
    content_.byte_ids.push_back(id);
    if (id < 0) continue;
    content_.tokens[static_cast<size_t>(id)] = static_cast<char>(byte);
    content_.token_flags[static_cast<size_t>(id)] |= kRawToken;
  }
}

}  // namespace frugal
