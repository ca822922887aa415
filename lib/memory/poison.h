// Tells AddressSanitizer which bytes must not be touched now. Without it, both functions do nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define FRUGAL_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FRUGAL_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef FRUGAL_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace frugal {

inline void poison([[maybe_unused]] const std::byte* data, [[maybe_unused]] uint64_t bytes) {
#ifdef FRUGAL_ADDRESS_SANITIZER
  __asan_poison_memory_region(data, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const std::byte* data, [[maybe_unused]] uint64_t bytes) {
#ifdef FRUGAL_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(data, bytes);
#endif
}

}  // namespace frugal
