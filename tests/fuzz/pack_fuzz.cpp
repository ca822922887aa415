// Any bytes as a pack: they open and verify, or end in an Error.
#include "fuzz/expect.h"
#include "fuzz/input_file.h"
#include "model/format/pack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  const frugal::fuzz::InputFile file(data, num_bytes);
  frugal::fuzz::expect_no_bug([&] {
    const frugal::Pack pack(file.path());
    pack.entries();
    pack.verify();
  });
  return 0;
}
