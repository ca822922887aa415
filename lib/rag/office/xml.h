// XML of office files. No document type is processed: no entities but XML's own five, none from outside. Names are
// compared without their prefix.
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace frugal {

/// Elements deeper than this are refused: readers of XML call themselves for each level.
constexpr int kMaxXmlDepth = 512;

/// The tree of an XML file, with the bytes that it points into.
class Xml {
 public:
  /// name: in errors. Throws Error(bad_input) if the bytes are not well-formed.
  Xml(std::string bytes, std::string_view name);
  pugi::xml_node root() const { return document_.document_element(); }

 private:
  std::string bytes_;
  pugi::xml_document document_;
};

/// The name without its prefix: "p" of <w:p>.
std::string_view local_name(const pugi::xml_node& node);
/// The value of an attribute by its name without prefix; empty if there is none.
std::string_view attribute(const pugi::xml_node& node, std::string_view name);
/// The first child of this name; none is an empty node.
pugi::xml_node child(const pugi::xml_node& node, std::string_view name);
/// Throws Error(bad_input).
void check_depth(int depth);

/// All text below a node that has no elements of another kind: a title.
std::string text_below(const pugi::xml_node& node, int depth = 0);

}  // namespace frugal
