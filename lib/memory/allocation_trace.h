// What a run asked memory for, in order, written to a file: real sizes and lifetimes for comparing allocators with
// (mem-profile replay). Recorded by the arena, the pools and the key-value cache; not the process's heap.
//
// File: lines "+ ID KIND BYTES NS" (asked for), "= ID BYTES NS" (the same memory, larger) and "- ID NS" (given back),
// after the line "frugal-allocations/1"; NS counts from the first event.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "memory/budget.h"

namespace frugal {

/// Thread-safe. A file that cannot be written is logged and the rest of the run not recorded.
class AllocationRecorder {
 public:
  explicit AllocationRecorder(const std::filesystem::path& file);
  ~AllocationRecorder();
  AllocationRecorder(const AllocationRecorder&) = delete;
  AllocationRecorder& operator=(const AllocationRecorder&) = delete;

  /// The process's own, writing to the file that FRUGAL_ALLOCATION_TRACE names; null if that is not set.
  static AllocationRecorder* active();

  /// Never 0.
  uint64_t allocated(MemoryTag tag, uint64_t bytes);
  void grown(uint64_t id, uint64_t bytes);
  void freed(uint64_t id);

 private:
  int64_t since_ns() const;
  void append(std::string_view line);
  void flush();

  std::mutex mutex_;
  FileDescriptor fd_;
  std::string buffer_;
  uint64_t last_id_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

struct AllocationEvent {
  enum class Kind { allocated, grown, freed };
  Kind kind = Kind::allocated;
  uint32_t id = 0;  // counts from 0, without gaps
  MemoryTag tag = MemoryTag::io;
  uint64_t bytes = 0;
  int64_t ns = 0;
};

struct AllocationTrace {
  std::vector<AllocationEvent> events;
  uint32_t ids = 0;
  uint64_t most_live_bytes = 0;  // what an allocator without any loss would hold at most
};
/// Throws Error(io), Error(bad_input) with the line: an id that does not live, a
/// size beyond any machine's.
AllocationTrace read_allocation_trace(const std::filesystem::path& file);
/// The part that is of one kind.
AllocationTrace only(const AllocationTrace& trace, MemoryTag tag);

}  // namespace frugal
