#include "rag/cache/result_store.h"

#include <fmt/format.h>

#include <span>

#include "base/hash.h"

namespace frugal {

int64_t checksum_of_result(std::string_view key, std::string_view question, std::string_view body) {
  const std::string all = fmt::format("{}\n{}:{}\n{}", key, question.size(), question, body);
  return static_cast<int64_t>(checksum64(std::as_bytes(std::span(all.data(), all.size()))));
}

}  // namespace frugal
