#include "app/config/law_file.h"

#include <fmt/format.h>

#include "app/config/yaml.h"
#include "base/file.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t(16) << 20;

std::vector<std::string> text_list(std::string_view origin, const std::string& key, const YAML::Node& list) {
  if (!list.IsSequence()) throw yaml_error(origin, list, fmt::format("'{}' must be a list", key));
  std::vector<std::string> texts;
  for (const YAML::Node& each : list) texts.push_back(yaml_text(origin, key, each));
  return texts;
}

LawEntry read_law(std::string_view origin, const YAML::Node& node) {
  if (!node.IsMap()) throw yaml_error(origin, node, "a law must be a mapping with id, title, names and numbers");
  LawEntry law;
  law.place = yaml_place(origin, node);
  for_each_entry(origin, node, [&](const std::string& key, const YAML::Node& where, const YAML::Node& value) {
    if (key == "id")
      law.id = yaml_text(origin, key, value);
    else if (key == "title")
      law.title = yaml_text(origin, key, value);
    else if (key == "names")
      law.names = text_list(origin, key, value);
    else if (key == "numbers")
      law.numbers = text_list(origin, key, value);
    else
      throw yaml_error(origin, where, fmt::format("unknown key '{}' of a law", key))
          .hint("a law has id, title, names, numbers");
  });
  if (law.id.empty() || law.title.empty()) throw yaml_error(origin, node, "a law needs an id and a title");
  return law;
}

}  // namespace

std::vector<LawEntry> read_law_file(const std::filesystem::path& path) {
  const std::string& origin = path.native();
  std::vector<LawEntry> laws;
  for_each_entry(origin, parse_yaml(read_file(path, kMaxFileBytes), origin),
                 [&](const std::string& key, const YAML::Node& where, const YAML::Node& value) {
                   if (key != "laws" || !value.IsSequence())
                     throw yaml_error(origin, where, "expected 'laws:' and a list");
                   for (const YAML::Node& law : value) laws.push_back(read_law(origin, law));
                 });
  return laws;
}

}  // namespace frugal
