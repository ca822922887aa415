#include "ops/ops.h"

#include <fmt/format.h>

#include <new>

#include "base/error.h"

namespace frugal {

std::shared_ptr<std::byte> Ops::hold(uint64_t bytes) {
  constexpr auto kAlignment = std::align_val_t(Arena::kAlignment);
  return {static_cast<std::byte*>(::operator new(bytes, kAlignment)),
          [](std::byte* p) { ::operator delete(p, kAlignment); }};
}

void Ops::quantize_heads(View, const QuantizedHeads&) {
  throw Error(Code::internal, fmt::format("{}: no keys and values in int8", name()));
}

void Ops::attention_quantized(const AttentionSpec&, std::span<const AttentionSpan>, View, const QuantizedHeads&,
                              const QuantizedHeads&, View) {
  throw Error(Code::internal, fmt::format("{}: no keys and values in int8", name()));
}

}  // namespace frugal
