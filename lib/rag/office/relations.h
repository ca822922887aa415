// Which parts of an Office Open XML file belong to one another: word/_rels/document.xml.rels and its like.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "rag/office/zip_file.h"

namespace frugal {

struct Relation {
  std::string target;  // the name of the entry in the archive
  std::string type;    // the last word of its URL: "slide", "notesSlide"
};

/// Of an entry, by their id. Those to other files are left out: nothing outside the archive is read.
std::map<std::string, Relation, std::less<>> relations_of(ZipFile& zip, const std::string& entry);

/// `target` as it is named in the folder of `entry`: "../slides/a.xml" in "ppt/notes/n.xml" is "ppt/slides/a.xml".
std::string resolve_entry(const std::string& entry, std::string_view target);

}  // namespace frugal
