// Any bytes as a checkpoint (GGUF or safetensors, told apart by content): every tensor can be read, or there is an
// Error.
#include <algorithm>
#include <vector>

#include "fuzz/expect.h"
#include "fuzz/input_file.h"
#include "model/format/checkpoint.h"

namespace {

void read_some(const frugal::SourceTensor& tensor) {
  if (tensor.shape.rank() != 2) return;
  const int64_t rows = std::min<int64_t>(tensor.shape[0], 4);
  std::vector<float> out(static_cast<size_t>(rows * tensor.shape[1]));
  frugal::read_rows_f32(tensor, 0, rows, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  const frugal::fuzz::InputFile file(data, num_bytes);
  frugal::fuzz::expect_no_bug([&] {
    const auto checkpoint = frugal::open_checkpoint(file.path());
    checkpoint->tokenizer();
    for (const frugal::SourceTensor& tensor : checkpoint->tensors()) read_some(tensor);
  });
  return 0;
}
