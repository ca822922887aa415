#include "app/config/default_yaml.h"

#include <fmt/format.h>

#include <algorithm>

namespace frugal {
namespace {

constexpr std::string_view kHead =
    "# Every setting with its default and unit, written from the option structs by the build target default-yaml.\n"
    "# Tools do not read this file: the defaults are compiled in. To change a setting, copy its lines into\n"
    "# ./frugal.yaml, which holds for tools started in that folder, or into ~/.config/frugal/config.yaml, which\n"
    "# always holds. Later wins: default < user's config.yaml < frugal.yaml or --config FILE < environment\n"
    "# (FRUGAL_…) < --set < flag.\n";
constexpr size_t kCommentColumn = 39, kColumns = 120;

/// A setting or a group of settings.
struct Node {
  std::string_view name;                // one part of the dotted key
  const SettingField* field = nullptr;  // null: a group
  std::vector<Node> members = {};
};

void add(std::vector<Node>& nodes, std::string_view path, const SettingField& field) {
  const size_t dot = path.find('.');
  const std::string_view name = path.substr(0, dot);
  auto node = std::find_if(nodes.begin(), nodes.end(), [&](const Node& each) { return each.name == name; });
  if (node == nodes.end()) node = nodes.insert(nodes.end(), Node{name});
  if (dot == path.npos)
    node->field = &field;
  else
    add(node->members, path.substr(dot + 1), field);
}

// Appends `line` with `doc` as a comment that begins at kCommentColumn and is wrapped at kColumns.
void write_documented(std::string& out, std::string line, std::string_view doc) {
  const std::string margin = fmt::format("\n{:{}}# ", "", kCommentColumn);
  line += fmt::format("{:{}}#", "", std::max(line.size() + 1, kCommentColumn) - line.size());
  size_t column = line.size();
  while (!doc.empty()) {
    const size_t end = std::min(doc.find(' '), doc.size());
    if (column + 1 + end > kColumns) {
      line += margin;
      column = kCommentColumn + 2;
    } else {
      line += ' ';
      ++column;
    }
    line += doc.substr(0, end);
    column += end;
    doc.remove_prefix(std::min(end + 1, doc.size()));
  }
  out += line + "\n";
}

void write(std::string& out, const std::vector<Node>& nodes, size_t indentation) {
  bool scalars = false;
  for (const Node& node : nodes) {
    const std::string key = fmt::format("{:{}}{}:", "", indentation, node.name);
    const bool blank_before = indentation == 0 && !(node.field && scalars);
    if (blank_before) out += "\n";
    scalars = node.field != nullptr;
    if (node.field) {
      const std::string value = node.field->text();
      write_documented(out, value.empty() ? key : fmt::format("{} {}", key, value), node.field->doc());
    } else {
      out += key + "\n";
      write(out, node.members, indentation + 2);
    }
  }
}

}  // namespace

std::string default_yaml(const SettingList& settings) {
  std::vector<Node> nodes;
  for (const SettingField& field : settings.fields()) add(nodes, field.key(), field);
  std::string out(kHead);
  write(out, nodes, 0);
  return out;
}

}  // namespace frugal
