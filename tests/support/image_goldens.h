// Images and what Pillow and transformers make of them, as scripts/make_image_goldens.py stored it.
#pragma once

#include <doctest/doctest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"

namespace frugal::testing {

class ImageGoldens {
 public:
  ImageGoldens() : bytes_(read_file(folder() / "expected.bin")) {
    REQUIRE(!parser_.load((folder() / "expected.json").string()).get(root_));
  }
  static std::filesystem::path folder() { return std::filesystem::path(FRUGAL_SOURCE_DIR) / "tests/golden/vision"; }
  static std::filesystem::path image(std::string_view name) { return folder() / "images" / name; }

  /// "images", "resized", "processed" or "published".
  simdjson::dom::array table(std::string_view name) const { return root_[name].get_array().value(); }

  /// Bytes of the results, from `offset` on.
  std::span<const uint8_t> bytes(int64_t offset, int64_t count) const {
    REQUIRE(offset + count <= static_cast<int64_t>(bytes_.size()));
    return {reinterpret_cast<const uint8_t*>(bytes_.data()) + offset, static_cast<size_t>(count)};
  }

 private:
  std::string bytes_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

// By value: what a range-for iterates must outlive the statement.
inline simdjson::dom::array list(simdjson::dom::element row, std::string_view key) {
  return row[key].get_array().value();
}
inline int64_t integer(simdjson::dom::element row, std::string_view key) {
  return row[key].get_int64().value();
}
inline std::string text(simdjson::dom::element row, std::string_view key) {
  return std::string(row[key].get_string().value());
}

/// The largest difference of two samples.
inline int max_level_difference(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  REQUIRE(a.size() == b.size());
  int worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(int(a[i]) - int(b[i])));
  return worst;
}

}  // namespace frugal::testing
