// The configuration of a pack without the pack: its keys in a map.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/format/model_config.h"

namespace frugal::testing {

class ToyPack final : public ModelConfig {
 public:
  std::map<std::string, std::string> entries;
  std::optional<std::string_view> text(std::string_view key) const override {
    const auto at = entries.find(std::string(key));
    return at == entries.end() ? std::nullopt : std::optional<std::string_view>(at->second);
  }
  [[noreturn]] void fail(std::string_view what) const override { throw Error(Code::corrupt_file, std::string(what)); }
};

}  // namespace frugal::testing
