// Files to documents: text whose bytes can be cited, with a title. A file gives one document, or one per record. Not a
// converter: plain text and Markdown keep the file's bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"
#include "rag/extract/document_fields.h"
#include "rag/extract/source_map.h"

namespace frugal {

enum class FileKind { text, markdown, html, csv, jsonl, pdf, docx, pptx, xlsx, odf, epub, eml, mbox, image };
std::string_view to_string(FileKind kind);

/// True for the kinds that another program reads as text (extraction_child.h). Images have no text.
bool needs_child(FileKind kind);
/// True for the kinds whose images ExtractOptions::images can have.
bool may_have_images(FileKind kind);

/// The kind of a file, by its extension; nullopt if the extension is not supported (then see unsupported_reason()).
std::optional<FileKind> file_kind(const std::filesystem::path& path);
enum class Unsupported { no_extension, unknown_extension, old_office };
/// The reason why file_kind() does not support the file.
Unsupported unsupported_reason(const std::filesystem::path& path);
/// The reason as a message: "doc: a format of Office 97: save the file as docx".
std::string unsupported_message(const std::filesystem::path& path);

struct Document {
  std::string external_id;  // a record's _id, or its number from 1; empty for a whole file
  std::string title;
  std::string text;                 // UTF-8
  std::optional<SourceMap> source;  // where the text's bytes are in the file; absent: they are the file's bytes
  int64_t first_page = 0;           // 1: pages begin at form feeds; 0: the format has no pages
  int64_t line = 1;                 // the line where a record begins, from 1
  bool is_record = false;           // one of several in its file: stays one chunk if it fits
  bool is_markdown = false;         // headings are lines that begin with '#'
  DocumentFields fields;            // beside the text, for filters
};

/// An image of a document: the file itself, or a figure in it.
struct DocumentImage {
  int64_t number = 1;  // in the document
  int64_t page = 0;    // from 1; 0 if the format has none
  std::string key;     // equal for equal images: 16 bytes of a SHA-256, of the file or of the pixels
  RgbImage pixels;     // none if the reading knows the key
};

/// How the images of documents are read.
struct ImageReading {
  uint64_t max_pixels = uint64_t(1) << 20;  // larger ones are made smaller, in proportion
  /// True for an image whose pixels are not needed. An image file with such a key is not decoded.
  std::function<bool(const std::string& key)> knows;
  /// Called for each image, after `sink` was called for its document. What it throws ends the file if that is an image;
  /// else an Error(bad_input) is noted and the next image follows.
  std::function<void(const DocumentImage&)> sink;
};

class ExtractionChild;

struct ExtractOptions {
  uint64_t max_file_bytes = uint64_t(64) << 20;    // a file that is one document; files of records have no limit
  uint64_t max_record_bytes = uint64_t(16) << 20;  // one line of jsonl, one record of csv; longer e-mails are cut
  /// Memory for a document is reserved here before it is read, and kept until `sink` returns.
  std::reference_wrapper<Budget> budget = Budget::unlimited();
  /// Reads PDF and office files. Borrowed; null: one for this file alone.
  ExtractionChild* child = nullptr;
  uint64_t sink_copies = 0;  // memory that `sink` needs for a text, in multiples of its bytes: reserved with the rest
  const ImageReading* images = nullptr;  // borrowed; null: images are not read
};

struct Extracted {
  std::string note;             // how the file was read ("read as Windows-1252"); may be empty
  std::string skipped_records;  // "2 records: not a JSON object (first: line 7)"; may be empty
  std::string sha256;           // SHA-256 of the bytes read
};

/// The page of byte `offset` of a text whose first page is `first_page`; 0 without pages.
int64_t page_at(std::string_view text, uint64_t offset, int64_t first_page);

/// Reads `input` to its end and passes each document to `sink` as soon as it is complete: memory holds one document at
/// a time. An image file is a document without text, which is decoded only with ExtractOptions::images. `name` is used
/// in errors, and as the title of a text that has none. Throws Error(bad_input) if the input cannot be read as `kind`
/// (binary, too large, not JSON), naming line or offset.
Extracted extract(std::istream& input, FileKind kind, const std::filesystem::path& name, const ExtractOptions& options,
                  const std::function<void(Document)>& sink);

}  // namespace frugal
