// A child of a node is at slot base ^ byte, and names its parent, so that a slot that belongs to another node is not
// mistaken for a child. All children of a node lie in one block of 256 slots. Nodes are placed depth first, in the
// newest blocks that have room: the nodes of one piece are then close together, and a text touches few pages.
#include "model/tokenize/piece_trie.h"

#include <algorithm>
#include <bitset>
#include <deque>

#include "base/error.h"

namespace frugal {
namespace {

constexpr uint32_t kBlockSlots = 256;
// More blocks in the search would save a few slots and cost time at every node.
constexpr size_t kMaxOpenBlocks = 16;

class TrieBuilder {
 public:
  explicit TrieBuilder(std::vector<std::pair<std::string_view, TokenId>> pieces) : pieces_(std::move(pieces)) {
    std::sort(pieces_.begin(), pieces_.end());
  }

  std::vector<TrieNode> build() {
    open_block();
    take(0);
    std::vector<Range> waiting{{0, 0, pieces_.size(), 0}};
    while (!waiting.empty()) {
      const Range range = waiting.back();
      waiting.pop_back();
      const std::vector<Range> children = split(range);
      waiting.insert(waiting.end(), children.rbegin(), children.rend());
    }
    return std::move(nodes_);
  }

 private:
  // Pieces [first, last) share their first `depth` bytes, which lead to `node`.
  struct Range {
    uint32_t node;
    size_t first, last, depth;
  };
  struct Block {
    uint32_t first_slot;
    std::bitset<kBlockSlots> used;
  };

  // Gives the node of `range` its token and its children, and returns their ranges.
  std::vector<Range> split(Range range) {
    if (range.first < range.last && pieces_[range.first].first.size() == range.depth && range.depth > 0)
      nodes_[range.node].token = pieces_[range.first++].second;
    std::vector<Range> children;
    std::vector<unsigned char> bytes;
    for (size_t i = range.first; i < range.last; ++i) {
      const auto byte = static_cast<unsigned char>(pieces_[i].first[range.depth]);
      if (bytes.empty() || bytes.back() != byte) {
        bytes.push_back(byte);
        children.push_back({0, i, i, range.depth + 1});
      }
      children.back().last = i + 1;
    }
    if (children.empty()) return children;
    const uint32_t base = place(bytes);
    nodes_[range.node].base = base;
    for (size_t i = 0; i < children.size(); ++i) {
      children[i].node = base ^ bytes[i];
      nodes_[children[i].node].parent = range.node;
    }
    return children;
  }

  // Takes the slots of the children of a node, and returns its base.
  uint32_t place(const std::vector<unsigned char>& bytes) {
    for (auto block = open_.rbegin(); block != open_.rend(); ++block)
      for (uint32_t slot = 0; slot < kBlockSlots; ++slot) {
        const uint32_t base = slot ^ bytes.front();
        const auto is_used = [&](unsigned char byte) { return block->used[base ^ byte]; };
        if (std::any_of(bytes.begin(), bytes.end(), is_used)) continue;
        for (const unsigned char byte : bytes) block->used.set(base ^ byte);
        const uint32_t found = block->first_slot + base;
        if (block->used.all()) open_.erase(std::next(block).base());
        return found;
      }
    open_block();
    return place(bytes);
  }

  void open_block() {
    open_.push_back({static_cast<uint32_t>(nodes_.size()), {}});
    nodes_.resize(nodes_.size() + kBlockSlots);
    if (open_.size() > kMaxOpenBlocks) open_.pop_front();
  }

  void take(uint32_t slot) { open_.back().used.set(slot); }

  std::vector<std::pair<std::string_view, TokenId>> pieces_;
  std::vector<TrieNode> nodes_;
  std::deque<Block> open_;
};

}  // namespace

std::vector<TrieNode> build_piece_trie(std::vector<std::pair<std::string_view, TokenId>> pieces) {
  for (const auto& [piece, id] : pieces) FRUGAL_CHECK(!piece.empty() && piece.size() <= kMaxPieceBytes);
  return TrieBuilder(std::move(pieces)).build();
}

}  // namespace frugal
