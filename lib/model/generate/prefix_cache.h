// Keys and values of prompts seen before, on disk: what an earlier process has read, the next one does not read again.
// A cache and nothing more: losing it, or any file of it, costs time only; it never fails a generation and never
// changes one. Not for backends whose bits may differ between processes (KvCache::row_identity is empty).
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

/// Tokens of one stored block. A prompt is always computed in pieces that end at its multiples, with this cache and
/// without, so that a row's bits do not depend on what was restored. (One thread, 512 tokens of SmolLM2, Zen 3: pieces
/// of 64 take as much processor time as pieces of 512.)
inline constexpr int64_t kPrefixBlockTokens = 64;
/// Prompts with fewer tokens in whole blocks are not worth a file.
inline constexpr int64_t kMinPrefixTokens = 128;

/// One file a block, named by the hash of the model, the backend, the tokens of the block and those of all blocks
/// before it: two prompts share the files of their common start. Safe for any number of processes: files appear by
/// rename, are checked whole before a byte of them is used, and no lock is held. At most `max_bytes` in all, but for
/// what others write at the same moment; the blocks used longest ago go first, the end of a prompt before its start.
class PrefixCache : public MetricSource {
 public:
  /// Borrows `budget` (may be null), which the memory of one block is reserved from.
  PrefixCache(std::filesystem::path folder, uint64_t max_bytes, Budget& budget);
  ~PrefixCache() override;
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;
  void report(MetricSink& sink) const override;

  /// Fills the empty `cache` with the longest stored start of `prompt` that leaves a token to compute, and returns its
  /// tokens. A file that is not what its name says is removed. `model`: Decoder::identity().
  int64_t restore(std::string_view model, std::span<const TokenId> prompt, KvCache& cache) const;
  /// Stores the whole blocks of `prompt`, which `cache` begins with, from token `first` on (what restore() returned). A
  /// failure (read-only folder, full disk) is logged and otherwise ignored.
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
