#include "model/nn/beam_cache.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace frugal {

BeamCache::BeamCache(Ops& ops, const KvShape& shape, int64_t source_tokens, int64_t beams, int64_t capacity,
                     Budget& budget)
    : ops_(&ops), source_(ops, shape, source_tokens, budget), ids_(static_cast<size_t>(beams)) {
  FRUGAL_CHECK(beams > 0);
  texts_.reserve(static_cast<size_t>(beams));
  for (int64_t i = 0; i < beams; ++i) texts_.emplace_back(ops, shape, capacity, budget);
}

void BeamCache::extend(int64_t tokens) {
  for (KvCache& text : texts_) text.extend(tokens);
}

void BeamCache::attend(int64_t layer, const AttentionSpec& spec, View q, View k, View v, View out) {
  const int64_t tokens = q.rows() / beams();
  FRUGAL_CHECK(tokens * beams() == q.rows());
  for (int64_t i = 0; i < beams(); ++i) {
    KvCache& text = texts_[static_cast<size_t>(i)];
    const Ops::Scope scope(*ops_);
    const KvCache::Fresh fresh = text.fresh_rows(layer, tokens);
    const int64_t row = i * tokens;
    ops_->copy(k.slice_rows(row, tokens), fresh.keys);
    ops_->copy(v.slice_rows(row, tokens), fresh.values);
    text.store(layer, fresh);
    text.attend(layer, spec, std::array{AttentionSpan{0, tokens, 0, text.length() + tokens}}, q.slice_rows(row, tokens),
                out.slice_rows(row, tokens));
  }
}

void BeamCache::attend_source(int64_t layer, const AttentionSpec& spec, View q, View out) {
  source_.attend(layer, spec, std::array{AttentionSpan{0, q.rows(), 0, source_.length()}}, q, out);
}

void BeamCache::advance(std::span<const TokenId> ids) {
  const size_t tokens = ids.size() / texts_.size();
  for (size_t i = 0; i < texts_.size(); ++i) {
    const auto fresh = ids.subspan(i * tokens, tokens);
    ids_[i].insert(ids_[i].end(), fresh.begin(), fresh.end());
    texts_[i].advance(int64_t(tokens));
  }
}

// A text's rows depend on its tokens alone, so a common start of two texts need not be copied. Rows are saved before
// any is overwritten, because a text may be a parent and a child.
void BeamCache::reorder(std::span<const size_t> parents) {
  FRUGAL_CHECK(parents.size() == texts_.size());
  const int64_t tokens = length();
  std::vector<int64_t> common(parents.size(), tokens);
  std::vector<std::vector<std::byte>> saved(parents.size());
  for (size_t i = 0; i < parents.size(); ++i) {
    const std::vector<TokenId>&mine = ids_[i], &other = ids_[parents[i]];
    common[i] = std::mismatch(mine.begin(), mine.end(), other.begin(), other.end()).first - mine.begin();
    const int64_t rows = tokens - common[i];
    if (rows == 0) continue;
    const KvCache& parent = texts_[parents[i]];
    saved[i].resize(static_cast<size_t>(rows) * parent.bytes_per_token());
    parent.save(common[i], rows, saved[i]);
  }
  std::vector<std::vector<TokenId>> ids(parents.size());
  for (size_t i = 0; i < parents.size(); ++i) {
    ids[i] = ids_[parents[i]];
    if (saved[i].empty()) continue;
    texts_[i].truncate(common[i]);
    texts_[i].append(tokens - common[i], saved[i]);
  }
  ids_ = std::move(ids);
}

}  // namespace frugal
