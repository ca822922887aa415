// A cache on disk of the keys and values of prompts, shared by processes: the start of a prompt that an earlier process
// has computed is restored instead of computed. Losing the cache or any file of it costs time only; it never fails a
// generation and never changes one. Not for backends whose bits may differ between processes (KvCache::row_identity is
// empty).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/tokenize/tokenizer.h"
#include "telemetry/metrics.h"

namespace frugal {

/// Tokens of a stored block. A prompt is always computed in pieces that end at multiples of it, with this cache and
/// without, so that a row's bits do not depend on what was restored. (One thread, 512 tokens of SmolLM2, Zen 3: pieces
/// of 64 take as much processor time as pieces of 512.)
inline constexpr int64_t kPrefixBlockTokens = 64;
/// Prompts with fewer tokens in whole blocks are not stored.
inline constexpr int64_t kMinPrefixTokens = 128;

/// One file per block, named by the hash of the model, the backend, the tokens of the block and those of all blocks
/// before it, so prompts with the same start share its files. Any number of processes may use a folder: files appear by
/// rename and are verified whole before use, without locks. The folder holds at most `max_bytes`, not counting blocks
/// that other processes write at the same time. Eviction is LRU, and takes the end of a prompt before its start.
class PrefixCache : public MetricSource {
 public:
  /// Borrows `budget`, in which the memory of one block is reserved. The folder need not exist.
  PrefixCache(std::filesystem::path folder, uint64_t max_bytes, Budget& budget);
  ~PrefixCache() override;
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;
  void report(MetricSink& sink) const override;

  /// Appends to the empty `cache` the longest stored start of `prompt`, but never its last token, whose logits have to
  /// be computed. Returns the number of tokens restored. Removes damaged files. `model`: Decoder::identity().
  int64_t restore(std::string_view model, std::span<const TokenId> prompt, KvCache& cache) const;
  /// Stores the whole blocks of `prompt` from token `first`, the result of restore(). `cache` must begin with the rows
  /// of `prompt`. A failure (read-only folder, full disk) is logged and otherwise ignored.
  void keep(std::string_view model, std::span<const TokenId> prompt, int64_t first, const KvCache& cache) const;

 private:
  using Key = std::array<uint8_t, 32>;

  std::vector<Key> block_keys(std::string_view model, std::span<const TokenId> prompt, const KvCache& cache) const;
  std::filesystem::path path_of(const Key& key) const;
  bool read_block(const Key& key, std::span<std::byte> rows) const;
  void write_block(const Key& key, std::span<const std::byte> rows) const;
  void mark_used(std::span<const Key> keys) const;
  void make_room(uint64_t needed) const;

  std::filesystem::path folder_;
  uint64_t max_bytes_;
  Budget& budget_;
  mutable std::atomic<int64_t> prompt_tokens_{0}, restored_tokens_{0};
};

}  // namespace frugal
