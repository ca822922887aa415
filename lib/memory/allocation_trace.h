// The allocations of a run, in order, written to a file: real sizes and lifetimes for comparing allocators (mem-profile
// replay). Recorded by the arena, the pools and the key-value cache; the process's heap is not.
//
// File: lines "+ ID KIND BYTES NS" (allocated), "= ID BYTES NS" (grown to) and "- ID NS" (freed),
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

/// Thread-safe. If the file cannot be written, logs that and stops recording.
class AllocationRecorder {
 public:
  explicit AllocationRecorder(const std::filesystem::path& file);
  ~AllocationRecorder();
  AllocationRecorder(const AllocationRecorder&) = delete;
  AllocationRecorder& operator=(const AllocationRecorder&) = delete;

  /// The recorder of the process, which writes to the file in FRUGAL_ALLOCATION_TRACE; null if that is not set.
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
  uint64_t peak_live_bytes = 0;  // the peak of an allocator without overhead
};
/// Throws Error(io); Error(bad_input) with the number of a line whose id is not allocated or whose size is too large
/// for any machine.
AllocationTrace read_allocation_trace(const std::filesystem::path& file);
/// The events of one tag.
AllocationTrace only(const AllocationTrace& trace, MemoryTag tag);

}  // namespace frugal
