// Any bytes as a saved answer whose citations are checked: each holds or says why not, or there is an Error.
#include <cstdlib>
#include <string_view>

#include "fuzz/expect.h"
#include "memory/budget.h"
#include "rag/reply/cite_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), num_bytes);
  frugal::fuzz::expect_no_bug([&] {
    for (const frugal::CitationCheck& check : frugal::check_citations(text, frugal::Budget::unlimited()).citations)
      if (check.holds != check.problem.empty()) std::abort();
  });
  return 0;
}
