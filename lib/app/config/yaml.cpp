#include "app/config/yaml.h"

#include <fmt/format.h>

#include <set>

namespace frugal {

namespace {

// An alias costs a few bytes and stands for a whole node; an alias within its own anchor stands for no end of them.
constexpr uint64_t kMaxExpandedBytes = uint64_t(64) << 20, kNodeBytes = 16;
constexpr int kMaxDepth = 64;

class ExpandedSize {
 public:
  explicit ExpandedSize(std::string_view origin) : origin_(origin) {}
  void add(const YAML::Node& node, int depth = 0) {
    bytes_ += kNodeBytes + (node.IsScalar() ? node.Scalar().size() : 0);
    if (bytes_ > kMaxExpandedBytes || depth > kMaxDepth)
      throw yaml_error(origin_, node, "the aliases of this file expand to more than 64 MiB or 64 levels")
          .hint("write the values out in the place of '*name'");
    for (const auto& child : node) {
      if (node.IsMap()) add(child.first, depth + 1);
      add(node.IsMap() ? child.second : YAML::Node(child), depth + 1);
    }
  }

 private:
  std::string_view origin_;
  uint64_t bytes_ = 0;
};

}  // namespace

YAML::Node parse_yaml(std::string_view text, std::string_view origin) {
  YAML::Node root;
  try {
    root = YAML::Load(std::string(text));
  } catch (const YAML::Exception& failure) {
    throw Error(Code::usage,
                fmt::format("{}:{}:{}: {}", origin, failure.mark.line + 1, failure.mark.column + 1, failure.msg))
        .hint("correct the YAML syntax at this line and column");
  }
  if (text.find('*') != std::string_view::npos) ExpandedSize(origin).add(root);
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
