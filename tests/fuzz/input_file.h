// The bytes of one fuzzing run as a file: readers take paths, and a file in memory needs no disk and no cleaning up.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"

namespace frugal::fuzz {

class InputFile {
 public:
  InputFile(const uint8_t* data, size_t num_bytes) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (!fd_ || write(fd_.get(), data, num_bytes) != static_cast<ssize_t>(num_bytes)) std::abort();
  }
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  FileDescriptor fd_;
};

}  // namespace frugal::fuzz
