// Any bytes as a pack: they open and verify, or end in an Error.
#include "base/error.h"
#include "format/pack.h"
#include "fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  const frugal::fuzz::InputFile file(data, num_bytes);
  try {
    const frugal::Pack pack(file.path());
    pack.entries();
    pack.verify();
  } catch (const frugal::Error& error) {
    if (error.code() == frugal::Code::internal) throw;
  }
  return 0;
}
