#include "ops/ops.h"

#include <new>

namespace frugal {

std::shared_ptr<std::byte> Ops::hold(uint64_t bytes) {
  constexpr auto kAlignment = std::align_val_t(Arena::kAlignment);
  return {static_cast<std::byte*>(::operator new(bytes, kAlignment)),
          [](std::byte* p) { ::operator delete(p, kAlignment); }};
}

}  // namespace frugal
