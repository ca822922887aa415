// Files to documents: text whose bytes can be cited, with a title. One file is one document, or one a record.
// Not a converter: plain text and Markdown stay byte for byte what the file holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

namespace frugal {

enum class FileKind { text, markdown, html, csv, jsonl };
std::string_view to_string(FileKind kind);

/// By its extension; nothing for one that is not read (then see why_unread()).
std::optional<FileKind> file_kind(const std::filesystem::path& path);
enum class Unread { no_extension, unknown_extension, not_built_in };
/// Why a file of that name is not read; of those that file_kind() does not know.
Unread why_unread(const std::filesystem::path& path);
/// The same in words: "pdf: not built in yet".
std::string refusal(const std::filesystem::path& path);

struct Document {
  std::string external_id;  // of a record: its _id, else its number from 1; empty for a whole file
  std::string title;
  std::string text;          // UTF-8
  int64_t line = 1;          // of a record: where it begins in its file, from 1
  bool is_record = false;    // one of several in its file: stays one chunk if it fits
  bool is_markdown = false;  // headings are lines that begin with '#'
};

struct ExtractOptions {
  uint64_t max_file_bytes = uint64_t(64) << 20;    // of a file that is one document; files of records have no limit
  uint64_t max_record_bytes = uint64_t(16) << 20;  // of one line of jsonl, one record of csv
};

struct Extracted {
  std::string note;      // how it was read ("read as Windows-1252"); may be empty
  std::string left_out;  // what was not ("2 lines are not JSON objects, first: line 7"); may be empty
  std::string sha256;    // of the bytes read
};

/// Reads `input` to its end and hands each document on as soon as it is complete; memory is that of one document.
/// `name` is used in errors and for a title where the text has none.
/// Throws Error(bad_input) for what cannot be read as `kind` (binary, too large, not JSON), naming line or offset.
Extracted extract(std::istream& input, FileKind kind, const std::filesystem::path& name, const ExtractOptions& options,
                  const std::function<void(Document)>& sink);

}  // namespace frugal
