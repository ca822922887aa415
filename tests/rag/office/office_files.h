// Office files made by tests: archives of a few entries, and PDFs of a few lines.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace frugal::testing {

using Entries = std::vector<std::pair<std::string, std::string>>;

/// A ZIP archive of these entries, in their order.
inline std::string zip_of(const Entries& entries) {
  std::string bytes;
  archive* writer = ::archive_write_new();
  ::archive_write_set_format_zip(writer);
  const auto append = [](archive*, void* to, const void* block, size_t num_bytes) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(block), num_bytes);
    return static_cast<la_ssize_t>(num_bytes);
  };
  ::archive_write_open(writer, &bytes, nullptr, append, nullptr);
  archive_entry* entry = ::archive_entry_new();
  for (const auto& [name, content] : entries) {
    ::archive_entry_clear(entry);
    ::archive_entry_set_pathname(entry, name.c_str());
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    ::archive_entry_set_filetype(entry, 0100000);
    ::archive_entry_set_perm(entry, 0644);
    if (::archive_write_header(writer, entry) != ARCHIVE_OK) throw std::runtime_error("cannot write an archive");
    ::archive_write_data(writer, content.data(), content.size());
  }
  ::archive_entry_free(entry);
  ::archive_write_close(writer);
  ::archive_write_free(writer);
  return bytes;
}

/// Objects 1, 2, … of a PDF, with the table of their places.
inline std::string pdf_of_objects(const std::vector<std::string>& objects, const std::string& trailer = "") {
  std::string bytes = "%PDF-1.4\n", table;
  for (size_t i = 0; i < objects.size(); ++i) {
    std::string place = std::to_string(bytes.size());
    table += std::string(10 - place.size(), '0') + place + " 00000 n \n";
    bytes += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
  }
  const std::string at = std::to_string(bytes.size()), count = std::to_string(objects.size() + 1);
  return bytes + "xref\n0 " + count + "\n0000000000 65535 f \n" + table + "trailer\n<</Size " + count + "/Root 1 0 R " +
         trailer + ">>\nstartxref\n" + at + "\n%%EOF\n";
}

inline std::string pdf_stream(const std::string& content) {
  return "<</Length " + std::to_string(content.size()) + ">>\nstream\n" + content + "\nendstream";
}

/// A PDF with a page for each content stream.
inline std::string pdf_of(const std::vector<std::string>& pages, const std::string& trailer = "",
                          const std::vector<std::string>& more = {}) {
  std::vector<std::string> objects = {"<</Type/Catalog/Pages 2 0 R>>", "",
                                      "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"};
  std::string kids;
  for (const std::string& page : pages) {
    const size_t number = objects.size() + 1;
    kids += std::to_string(number) + " 0 R ";
    objects.push_back("<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>/Contents " +
                      std::to_string(number + 1) + " 0 R>>");
    objects.push_back(pdf_stream(page));
  }
  objects[1] = "<</Type/Pages/Count " + std::to_string(pages.size()) + "/Kids[" + kids + "]>>";
  objects.insert(objects.end(), more.begin(), more.end());
  return pdf_of_objects(objects, trailer);
}

/// A content stream that shows lines of text below one another, from a point.
inline std::string pdf_lines(const std::vector<std::string>& lines, int x = 50, int y = 750) {
  std::string content = "BT /F 10 Tf " + std::to_string(x) + " " + std::to_string(y) + " Td 12 TL\n";
  for (const std::string& line : lines) content += "(" + line + ") Tj T*\n";
  return content + "ET\n";
}

}  // namespace frugal::testing
