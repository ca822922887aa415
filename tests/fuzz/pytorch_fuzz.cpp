// Any bytes as a PyTorch file, and as the bare pickle that such a file holds: tensors, or an Error.
#include <algorithm>
#include <span>
#include <vector>

#include "fuzz/expect.h"
#include "fuzz/input_file.h"
#include "model/format/pickle.h"
#include "model/format/pytorch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  const frugal::fuzz::InputFile input(data, num_bytes);
  frugal::fuzz::expect_no_bug([&] {
    const frugal::MappedFile file(input.path());
    for (const frugal::SourceTensor& tensor : frugal::read_pytorch(file)) {
      std::vector<float> row(static_cast<size_t>(std::min<int64_t>(tensor.shape.cols(), 1 << 20)));
      if (tensor.shape.cols() == static_cast<int64_t>(row.size())) frugal::read_rows_f32(tensor, 0, 1, row);
    }
  });
  frugal::fuzz::expect_no_bug(
      [&] { frugal::Pickle(std::as_bytes(std::span(data, num_bytes)), 0, num_bytes, "pickle"); });
  return 0;
}
