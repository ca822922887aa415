#include "rag/office/relations.h"

#include <filesystem>

#include "rag/office/xml.h"

namespace frugal {

std::string resolve_entry(const std::string& entry, std::string_view target) {
  if (target.starts_with('/')) return std::string(target.substr(1));
  return (std::filesystem::path(entry).parent_path() / target).lexically_normal().native();
}

std::map<std::string, Relation, std::less<>> relations_of(ZipFile& zip, const std::string& entry) {
  std::map<std::string, Relation, std::less<>> relations;
  const std::filesystem::path path(entry);
  const std::string name = (path.parent_path() / "_rels" / path.filename()).native() + ".rels";
  std::optional<std::string> bytes = zip.read(name);
  if (!bytes) return relations;
  const Xml xml(std::move(*bytes), name);
  for (const pugi::xml_node& each : xml.root().children()) {
    if (attribute(each, "TargetMode") == "External") continue;
    const std::string_view type = attribute(each, "Type");
    relations[std::string(attribute(each, "Id"))] = {resolve_entry(entry, attribute(each, "Target")),
                                                     std::string(type.substr(type.rfind('/') + 1))};
  }
  return relations;
}

}  // namespace frugal
