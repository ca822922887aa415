// What the golden tests share: stored outputs of transformers, and checkpoints made into packs for the length of a
// test.
#pragma once

#include <doctest/doctest.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/quant/quantize.h"
#include "model/tokenize/tokenizer.h"
#include "support/temp_folder.h"

namespace frugal::testing {

inline const std::filesystem::path kRoot = FRUGAL_SOURCE_DIR;

class Outputs {
 public:
  explicit Outputs(const std::string& name) {
    REQUIRE(!parser_.load((kRoot / "tests/golden" / name / "outputs.json").string()).get(root_));
  }
  simdjson::dom::array cases() { return root_["cases"]; }
  simdjson::dom::element root() { return root_; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

// A tiny model with random weights. outputs.json of its folder says of which kind it is, where its checkpoint lies, and
// how near to the oracle each precision has to come (scripts/make_goldens.py).
struct GoldenModel {
  struct Floor {
    Precision precision;
    double cosine;
  };
  std::string name, kind;
  std::filesystem::path checkpoint;
  std::vector<Floor> floors;
};

// Every folder of tests/golden that holds one, by name: a new architecture's is among them once it is there.
inline std::vector<GoldenModel> golden_models() {
  std::vector<GoldenModel> models;
  for (const auto& folder : std::filesystem::directory_iterator(kRoot / "tests/golden")) {
    const std::string name = folder.path().filename();
    if (!std::filesystem::exists(folder.path() / "outputs.json")) continue;
    Outputs outputs(name);
    std::string_view kind, checkpoint;
    if (outputs.root()["kind"].get(kind) || outputs.root()["checkpoint"].get(checkpoint)) continue;
    GoldenModel model{name, std::string(kind), (folder.path() / checkpoint).lexically_normal(), {}};
    for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::int8, Precision::int4})
      model.floors.push_back({precision, double(outputs.root()["floors"][to_string(precision)])});
    models.push_back(std::move(model));
  }
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  REQUIRE(!models.empty());
  return models;
}

inline std::vector<float> floats(simdjson::dom::element list) {
  std::vector<float> values;
  for (const double v : list.get_array()) values.push_back(static_cast<float>(v));
  return values;
}

inline std::vector<TokenId> ids(simdjson::dom::element list) {
  std::vector<TokenId> values;
  for (const int64_t v : list.get_array()) values.push_back(static_cast<TokenId>(v));
  return values;
}

inline double cosine(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double(a[i]) * double(b[i]);
    aa += double(a[i]) * double(a[i]);
    bb += double(b[i]) * double(b[i]);
  }
  return dot / std::sqrt(aa * bb);
}

inline double max_difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(double(a[i]) - double(b[i])));
  return worst;
}

// A checkpoint as a pack in a temporary folder.
struct TemporaryPack {
  TempFolder folder;
  std::filesystem::path path;

  TemporaryPack(const std::filesystem::path& checkpoint, std::optional<Precision> precision)
      : path(folder.path() / "model.pack") {
    QuantizeOptions options;
    options.input = checkpoint;
    options.output = path;
    options.precision = precision;
    options.allow_requantize = true;
    options.max_ram_bytes = uint64_t{4} << 30;  // a sanitizer's shadow counts too
    Quantizer(std::move(options)).run();
  }
};

}  // namespace frugal::testing
