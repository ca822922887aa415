#include <doctest/doctest.h>

#include <algorithm>

#include "model/format/pack.h"
#include "model/quant/quantize.h"
#include "support/golden.h"

namespace frugal {
namespace {

using namespace testing;

TEST_CASE(
    "the pack of a PyTorch checkpoint has the tensors and the tokenizer of the pack of its safetensors, byte for "
    "byte") {
  const std::filesystem::path golden = kRoot / "tests/golden/pytorch";
  for (const Precision precision : {Precision::int8, Precision::int4, Precision::fp32}) {
    const TemporaryPack expected(golden / "model.safetensors", precision);
    const Pack a(expected.path);
    for (const std::string name : {"pytorch_model.bin", "training.pt", "parameters.pt"}) {
      INFO(name, " ", static_cast<int>(precision));
      const TemporaryPack made(golden / name, precision);
      const Pack b(made.path);
      CHECK(b.text("provenance.source_format") == "pytorch");
      REQUIRE(a.tensors().size() == b.tensors().size());
      for (size_t i = 0; i < a.tensors().size(); ++i) {
        CHECK(a.tensors()[i].name == b.tensors()[i].name);
        CHECK(a.tensors()[i].dtype == b.tensors()[i].dtype);
        CHECK(std::ranges::equal(a.tensors()[i].data, b.tensors()[i].data));
        CHECK(std::ranges::equal(a.tensors()[i].scales, b.tensors()[i].scales));
      }
      CHECK(std::ranges::equal(a.blob("tokenizer"), b.blob("tokenizer")));
    }
  }
}

}  // namespace
}  // namespace frugal
