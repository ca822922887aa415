#include "model/format/sentence_modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "model/format/json_reader.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr size_t kMaxModules = 16, kMaxPathBytes = 256;

bool is_inside(std::string_view folder) {
  const std::filesystem::path path(folder);
  return path.is_relative() && folder.size() <= kMaxPathBytes &&
         std::find(path.begin(), path.end(), "..") == path.end();
}

}  // namespace

std::vector<SentenceModule> parse_modules(std::string_view json, std::string_view file) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  simdjson::error_code status = parser.allocate(json.size() + 1, kMaxJsonDepth);
  if (!status) status = parser.parse(json.data(), json.size()).get_array().get(list);
  if (status)
    throw Error(Code::bad_input, fmt::format("'{}' is not a JSON list: {}", file, simdjson::error_message(status)));
  if (list.size() > kMaxModules)
    throw Error(Code::bad_input, fmt::format("'{}' lists {} modules, more than {}", file, list.size(), kMaxModules));
  std::vector<SentenceModule> modules;
  modules.reserve(list.size());
  for (const simdjson::dom::element module : list) {
    std::string_view type, folder;
    if (module["type"].get_string().get(type))
      throw Error(Code::bad_input, fmt::format("'{}': module {} has no 'type'", file, modules.size()));
    if (module["path"].get_string().get(folder)) folder = "";
    if (!is_inside(folder))
      throw Error(Code::bad_input, fmt::format("'{}': the path '{}' of module {} leads out of the folder", file,
                                               printable(folder), modules.size()));
    modules.push_back({std::string(type.substr(type.rfind('.') + 1)), std::string(folder)});
  }
  return modules;
}

std::vector<SentenceModule> read_modules(const Checkpoint& checkpoint) {
  const auto side = checkpoint.side_file(kModulesFile);
  return side ? parse_modules(*side, kModulesFile) : std::vector<SentenceModule>();
}

}  // namespace frugal
