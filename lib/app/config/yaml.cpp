#include "app/config/yaml.h"

#include <fmt/format.h>

#include <set>

namespace frugal {

YAML::Node parse_yaml(std::string_view text, std::string_view origin) {
  YAML::Node root;
  try {
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& failure) {
    throw Error(Code::usage,
                fmt::format("{}:{}:{}: {}", origin, failure.mark.line + 1, failure.mark.column + 1, failure.msg))
        .hint("correct the YAML syntax at this line and column");
  }
  if (!root.IsNull() && !root.IsMap()) throw yaml_error(origin, root, "expected `key: value` lines");
  return root;
}

std::string yaml_place(std::string_view origin, const YAML::Node& node) {
  return fmt::format("{}:{}", origin, node.Mark().line + 1);
}

Error yaml_error(std::string_view origin, const YAML::Node& node, std::string_view message) {
  return Error(Code::usage, fmt::format("{}: {}", yaml_place(origin, node), message));
}

void for_each_entry(std::string_view origin, const YAML::Node& mapping,
                    const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& visit) {
  std::set<std::string> seen;
  for (const auto& entry : mapping) {
    if (!entry.first.IsScalar()) throw yaml_error(origin, entry.first, "a key must be a scalar");
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second) throw yaml_error(origin, entry.first, fmt::format("key '{}' appears twice", key));
    visit(key, entry.first, entry.second);
  }
}

std::string yaml_text(std::string_view origin, std::string_view key, const YAML::Node& value) {
  if (value.IsNull()) return {};
  if (!value.IsScalar()) throw yaml_error(origin, value, fmt::format("'{}' takes a single value", key));
  return value.Scalar();
}

}  // namespace frugal
