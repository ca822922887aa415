#include "rag/office/xml.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {

Xml::Xml(std::string bytes, std::string_view name) : bytes_(std::move(bytes)) {
  constexpr unsigned kFlags = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_eol | pugi::parse_ws_pcdata;
  const pugi::xml_parse_result result = document_.load_buffer_inplace(bytes_.data(), bytes_.size(), kFlags);
  if (result.status == pugi::status_out_of_memory) throw std::bad_alloc();
  if (!result)
    throw Error(Code::bad_input, fmt::format("'{}' in it is not well-formed XML (byte {}: {})", name, result.offset,
                                             result.description()));
}

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  return name.substr(name.find(':') + 1);
}

std::string_view attribute(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_attribute& each : node.attributes()) {
    const std::string_view full = each.name();
    if (full.substr(full.find(':') + 1) == name) return each.value();
  }
  return {};
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& each : node.children())
    if (local_name(each) == name) return each;
  return {};
}

void check_depth(int depth) {
  if (depth > kMaxXmlDepth)
    throw Error(Code::bad_input, fmt::format("its elements are nested more than {} deep", kMaxXmlDepth));
}

std::string text_below(const pugi::xml_node& node, int depth) {
  check_depth(depth);
  std::string text;
  for (const pugi::xml_node& each : node.children())
    text += each.type() == pugi::node_element ? text_below(each, depth + 1) : std::string(each.value());
  return text;
}

}  // namespace frugal
