// Bytes are asked for before they are used. A refusal is an error that says what was needed and what the limit is.
// Not an allocator: it counts. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace frugal {

enum class MemoryTag { weights, kv_cache, activations, text_embeddings, vision_features, index, io };
constexpr int kMemoryTags = 7;
std::string_view to_string(MemoryTag tag);

class Budget;

/// Bytes held in a budget; given back when destroyed.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { release(); }
  uint64_t bytes() const { return bytes_; }
  void release();

 private:
  friend class Budget;
  Reservation(Budget* budget, MemoryTag tag, uint64_t bytes) : budget_(budget), tag_(tag), bytes_(bytes) {}
  Budget* budget_ = nullptr;
  MemoryTag tag_ = MemoryTag::io;
  uint64_t bytes_ = 0;
};

class Budget {
 public:
  /// `limit_bytes` 0 means no limit.
  explicit Budget(uint64_t limit_bytes = 0) : limit_bytes_(limit_bytes) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Throws Error(over_budget) naming `what`, the need and the limit.
  Reservation reserve(MemoryTag tag, uint64_t bytes, std::string_view what);

  uint64_t limit_bytes() const { return limit_bytes_; }
  uint64_t used_bytes() const;
  uint64_t used_bytes(MemoryTag tag) const;
  uint64_t peak_bytes() const;

 private:
  friend class Reservation;
  void give_back(MemoryTag tag, uint64_t bytes);

  const uint64_t limit_bytes_;
  mutable std::mutex mutex_;
  std::array<uint64_t, kMemoryTags> used_{};
  uint64_t total_ = 0;
  uint64_t peak_ = 0;
};

}  // namespace frugal
