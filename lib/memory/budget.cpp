#include "memory/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/units.h"

namespace frugal {

std::string_view to_string(MemoryTag tag) {
  static constexpr std::string_view kNames[kMemoryTags] = {
      "weights", "kv_cache", "activations", "text_embeddings", "vision_features", "index", "io"};
  return kNames[static_cast<int>(tag)];
}

Reservation::Reservation(Reservation&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), tag_(other.tag_), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    release();
    budget_ = std::exchange(other.budget_, nullptr);
    tag_ = other.tag_;
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Reservation::release() {
  if (budget_) budget_->give_back(tag_, bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

Reservation Budget::reserve(MemoryTag tag, uint64_t bytes, std::string_view what) {
  std::lock_guard lock(mutex_);
  if (limit_bytes_ != 0 && (total_ > limit_bytes_ || bytes > limit_bytes_ - total_))
    throw Error(Code::over_budget, fmt::format("{} needs {}, {} of {} are in use", what, format_bytes(bytes),
                                               format_bytes(total_), format_bytes(limit_bytes_)))
        .hint(fmt::format("it could run with --memory-budget {}MiB", (total_ + bytes + kMiB - 1) / kMiB));
  total_ += bytes;
  used_[static_cast<int>(tag)] += bytes;
  peak_ = std::max(peak_, total_);
  return Reservation(this, tag, bytes);
}

void Budget::give_back(MemoryTag tag, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  total_ -= bytes;
  used_[static_cast<int>(tag)] -= bytes;
}

uint64_t Budget::used_bytes() const {
  std::lock_guard lock(mutex_);
  return total_;
}

uint64_t Budget::used_bytes(MemoryTag tag) const {
  std::lock_guard lock(mutex_);
  return used_[static_cast<int>(tag)];
}

uint64_t Budget::peak_bytes() const {
  std::lock_guard lock(mutex_);
  return peak_;
}

}  // namespace frugal
