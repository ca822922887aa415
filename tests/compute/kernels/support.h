// What the kernel tests share: reproducible numbers, misaligned buffers, and a loop over the instruction sets of this
// machine.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "compute/kernels/kernels.h"

namespace frugal::testing {

inline std::vector<float> random_floats(int64_t count, uint32_t seed, float low = -1.0f, float high = 1.0f) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = uniform(random);
  return values;
}

/// `count` elements that begin `shift` elements after a 64-byte boundary, so that no vector load can count on
/// alignment. What lies before and after them is a guard: intact() tells whether it was written to.
template <typename T>
class Guarded {
 public:
  Guarded(std::span<const T> values, int64_t shift) : count_(values.size()) {
    storage_.assign(kGuard + static_cast<size_t>(shift) + values.size() + kGuard + 64 / sizeof(T), guard());
    const size_t misaligned = reinterpret_cast<uintptr_t>(storage_.data() + kGuard) % 64 / sizeof(T);
    first_ = kGuard + (misaligned ? 64 / sizeof(T) - misaligned : 0) + static_cast<size_t>(shift);
    std::copy(values.begin(), values.end(), storage_.begin() + static_cast<std::ptrdiff_t>(first_));
  }
  Guarded(int64_t count, int64_t shift) : Guarded(std::vector<T>(static_cast<size_t>(count), guard()), shift) {}

  T* data() { return storage_.data() + first_; }
  std::span<T> values() { return {data(), count_}; }
  T operator[](int64_t i) const { return storage_[first_ + static_cast<size_t>(i)]; }
  bool intact() const {
    for (size_t i = 0; i < storage_.size(); ++i)
      if ((i < first_ || i >= first_ + count_) && storage_[i] != guard()) return false;
    return true;
  }
  static T guard() { return T(77); }

 private:
  static constexpr size_t kGuard = 64;
  std::vector<T> storage_;
  size_t count_ = 0;
  size_t first_ = 0;
};

/// Runs `body` with the table of every instruction set that this machine has.
template <typename Body>
void for_each_isa(Body&& body) {
  for (const Isa isa : supported_isas()) {
    const std::string name(to_string(isa));
    CAPTURE(name);
    body(kernels::table(isa));
  }
}

/// The lengths that meet every edge of a vector loop: 0 to past two of the widest vectors, and some longer ones.
inline std::vector<int64_t> edge_lengths() {
  std::vector<int64_t> lengths;
  for (int64_t n = 0; n <= 36; ++n) lengths.push_back(n);
  for (const int64_t n : {47, 48, 63, 64, 65, 100, 127, 128, 129, 384}) lengths.push_back(n);
  return lengths;
}

inline bool close(float actual, double expected, double relative, double absolute) {
  return std::fabs(double(actual) - expected) <= absolute + relative * std::fabs(expected);
}

}  // namespace frugal::testing
