// The trie is a double array (Darts): a unit has the byte that leads to it, the offset to the block of its children,
// and a flag that a value is at offset 0 of that block. The child of a node by a byte is at the exclusive or of the
// block's position and the byte. Only keys of up to 5 bytes can match, and of those only the ones without a shorter
// key in front, so the walk ends there, and a trie with a cycle is noticed: it reaches more nodes than there are units.
#include "model/vocabulary/read_charsmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/base64.h"
#include "base/utf8.h"
#include "model/tokenize/charsmap.h"
#include "model/vocabulary/vocabulary_builder.h"

namespace frugal {
namespace {

constexpr std::string_view kField = "precompiled_charsmap";

class CharsmapReader {
 public:
  explicit CharsmapReader(std::string_view blob) {
    uint32_t trie_bytes = 0;
    if (blob.size() < sizeof trie_bytes) throw malformed(kField, "is cut off");
    std::memcpy(&trie_bytes, blob.data(), sizeof trie_bytes);
    blob.remove_prefix(sizeof trie_bytes);
    if (trie_bytes > blob.size() || trie_bytes % sizeof(uint32_t) != 0 || trie_bytes == 0)
      throw malformed(kField, fmt::format("has a trie of {} bytes in {}", trie_bytes, blob.size()));
    units_.resize(trie_bytes / sizeof(uint32_t));
    std::memcpy(units_.data(), blob.data(), trie_bytes);
    texts_ = blob.substr(trie_bytes);
  }

  Charsmap read() {
    walk(children_of(0), 0);
    std::sort(found_.sequences.begin(), found_.sequences.end());
    return std::move(found_);
  }

 private:
  // The position of the children of a node.
  size_t children_of(size_t node) const {
    const uint32_t unit = units_[node];
    const size_t at = node ^ (static_cast<size_t>(unit >> 10) << ((unit & 1U << 9) >> 6));
    if ((at | 0xFF) >= units_.size())
      throw malformed(kField, fmt::format("leads to unit {} of {}", at | 0xFF, units_.size()));
    return at;
  }

  // Adds the keys below the node whose children are at `children`, and whose bytes are in key_.
  void walk(size_t children, size_t depth) {
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const size_t node = children ^ byte;
      const uint32_t label = units_[node] & (1U << 31 | 0xFF);
      if (label != byte) continue;
      if (++num_visited_ > units_.size()) throw malformed(kField, "has a cycle");
      key_[depth] = static_cast<char>(byte);
      const size_t below = children_of(node);
      if (units_[node] >> 8 & 1)
        add({key_.data(), depth + 1}, units_[below] & ~(1U << 31));
      else if (depth + 1 < kMaxReplacedGrapheme)
        walk(below, depth + 1);
    }
  }

  void add(std::string_view key, size_t offset) {
    if (offset > texts_.size()) throw malformed(kField, fmt::format("has no text at {}", offset));
    const std::string_view text = texts_.substr(offset, texts_.find('\0', offset) - offset);
    if (!is_valid_utf8(key) || !is_valid_utf8(text)) throw malformed(kField, "is not UTF-8");
    const CodePoint first = decode_utf8(key, 0);
    if (first.num_bytes == key.size())
      found_.characters.emplace_back(first.value, text);
    else
      found_.sequences.emplace_back(key, text);
  }

  std::vector<uint32_t> units_;
  std::string_view texts_;
  std::array<char, kMaxReplacedGrapheme> key_{};
  size_t num_visited_ = 0;
  Charsmap found_;
};

}  // namespace

Charsmap read_charsmap(std::string_view content) {
  return CharsmapReader(content).read();
}

Charsmap read_base64_charsmap(std::string_view base64) {
  const bool is_padded = base64.size() % 4 == 0 && base64.find_first_of("\r\n") == base64.npos;
  const std::optional<std::string> content = is_padded ? from_base64(base64) : std::nullopt;
  if (!content) throw malformed(kField, "is not base64");
  return read_charsmap(*content);
}

}  // namespace frugal
