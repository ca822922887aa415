#include "rag/extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"
#include "base/utf8.h"
#include "rag/extract/child_protocol.h"
#include "rag/extract/encoding.h"
#include "rag/extract/extract_formats.h"
#include "rag/extract/extraction_child.h"
#include "rag/extract/html_document.h"
#include "rag/extract/html_images.h"

namespace frugal {
namespace {

struct Extension {
  std::string_view suffix;
  FileKind kind;
};
constexpr Extension kExtensions[] = {
    {".txt", FileKind::text},          {".text", FileKind::text},    {".md", FileKind::markdown},
    {".markdown", FileKind::markdown}, {".html", FileKind::html},    {".htm", FileKind::html},
    {".xhtml", FileKind::html},        {".csv", FileKind::csv},      {".tsv", FileKind::csv},
    {".jsonl", FileKind::jsonl},       {".ndjson", FileKind::jsonl}, {".pdf", FileKind::pdf},
    {".docx", FileKind::docx},         {".docm", FileKind::docx},    {".pptx", FileKind::pptx},
    {".xlsx", FileKind::xlsx},         {".xlsm", FileKind::xlsx},    {".odt", FileKind::odf},
    {".ods", FileKind::odf},           {".odp", FileKind::odf},      {".epub", FileKind::epub},
    {".eml", FileKind::eml},           {".mbox", FileKind::mbox},    {".jpg", FileKind::image},
    {".jpeg", FileKind::image},        {".png", FileKind::image},    {".webp", FileKind::image},
    {".gif", FileKind::image},
};
constexpr std::string_view kOldOffice[] = {".doc", ".xls", ".ppt"};
constexpr size_t kMaxTitleLineBytes = 200;  // of a text's first line that is taken as its title
// A title stands in the index once for each chunk, so a page or a record cannot have one of a megabyte.
constexpr size_t kMaxTitleBytes = 1000;

// Peak memory while a document is read, in multiples of its bytes: what was read, the text, its map, and what a parser
// of records makes of it. Upper bounds over texts that are made to be costly; prose needs half of it.
uint64_t copies_of(FileKind kind) {
  switch (kind) {
    case FileKind::text:
    case FileKind::markdown:
      return 2;
    case FileKind::html:
      return 6;
    case FileKind::csv:
      return 10;
    case FileKind::jsonl:
      return 16;
    case FileKind::eml:
    case FileKind::mbox:
      return 8;
    default:
      return 1;  // the bytes alone: they are read elsewhere
  }
}

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().native();
  std::transform(extension.begin(), extension.end(), extension.begin(), ascii_lower);
  return extension;
}

/// Bytes from here to the end; 0 where that is not known.
uint64_t bytes_left(std::istream& input) {
  const auto here = input.tellg();
  input.seekg(0, std::ios::end);
  const auto end = input.tellg();
  input.clear();
  if (here < 0 || end < here) return 0;
  input.seekg(here);
  return static_cast<uint64_t>(end - here);
}

std::string read_whole(std::istream& input, Sha256& hash, uint64_t limit, DocumentMemory& memory) {
  std::string content;
  if (const uint64_t bytes = bytes_left(input); bytes <= limit) {
    memory.hold(bytes);
    content.reserve(bytes);
  }
  std::array<char, 1 << 16> buffer;
  while (input.read(buffer.data(), buffer.size()) || input.gcount() > 0) {
    const auto got = static_cast<size_t>(input.gcount());
    if (content.size() + got > limit)
      throw Error(Code::bad_input, fmt::format("larger than {}", format_bytes(limit)))
          .hint("raise --max-file-size, or split the file");
    memory.hold(content.size() + got);
    content.append(buffer.data(), got);
  }
  if (input.bad()) throw Error(Code::io, "reading failed");
  hash.update(content);
  return content;
}

/// The title of a text: in Markdown the first heading of level 1, else of any level; otherwise the first non-blank
/// line, if it looks like a title.
std::string title_of(std::string_view text, bool is_markdown) {
  std::string any_heading;
  bool in_fence = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = trim(text.substr(at, end - at));
    at = end + 1;
    if (line.empty()) continue;
    if (!is_markdown) {
      const bool sentence = std::string_view(".;:,").find(line.back()) != std::string_view::npos;
      return line.size() > kMaxTitleLineBytes || sentence ? std::string() : std::string(line);
    }
    if (line.starts_with("```") || line.starts_with("~~~")) in_fence = !in_fence;
    const size_t level = std::min(line.find_first_not_of('#'), line.size());
    if (in_fence || level == 0 || level > 6 || level == line.size() || line[level] != ' ') continue;
    std::string_view heading = trim(line.substr(level));
    while (heading.ends_with('#')) heading = trim(heading.substr(0, heading.size() - 1));
    if (heading.size() > kMaxTitleLineBytes) continue;
    if (level == 1) return std::string(heading);
    if (any_heading.empty()) any_heading = heading;
  }
  return any_heading;
}

constexpr size_t kImageKeyBytes = 16;

std::string image_key(Sha256& hash) {
  const auto digest = hash.digest();
  return std::string(reinterpret_cast<const char*>(digest.data()), kImageKeyBytes);
}

std::string key_of_pixels(const RgbImage& image) {
  Sha256 hash;
  hash.update(fmt::format("{}×{}", image.width(), image.height()));
  const std::span<const uint8_t> pixels = image.pixels();
  hash.update(std::string_view(reinterpret_cast<const char*>(pixels.data()), pixels.size()));
  return image_key(hash);
}

/// Sets key and pixels of an image that is an image file, or stands in one; its pixels only if they are needed.
void decode_elsewhere(std::string bytes, ExtractionChild& child, const ExtractOptions& options, DocumentImage& image) {
  Sha256 hash;
  image.key = image_key(hash.update(bytes));
  if (options.images->knows(image.key)) return;
  child.read(
      FileKind::image, std::move(bytes), options.budget, [](uint64_t) {}, options.images->max_pixels);
  std::optional<ExtractionChild::Image> decoded = child.next_image(options.budget);
  if (!decoded) throw Error(Code::bad_input, "image: no pixels");
  image.pixels = std::move(decoded->pixels);
  child.next_image(options.budget);
}

/// What kept some of the figures of a file from the index; empty if nothing did.
class FigureNote {
 public:
  /// Runs `pass` for one of them.
  template <typename F>
  void watch(F&& pass) {
    try {
      pass();
    } catch (const Error& error) {
      if (error.code() != Code::bad_input) throw;
      if (failed_++ == 0) reason_ = error.message();
    }
  }
  std::string text() const {
    return failed_ == 0 ? std::string() : fmt::format("{} of its images were not indexed: {}", failed_, reason_);
  }

 private:
  int64_t failed_ = 0;
  std::string reason_;
};

/// Passes the figures of the file that was read last to the sink. Returns a note.
std::string read_figures(ExtractionChild& child, const ExtractOptions& options) {
  FigureNote note;
  try {
    for (DocumentImage image; auto next = child.next_image(options.budget); ++image.number) {
      image.page = next->page;
      image.pixels = std::move(next->pixels);
      image.key = key_of_pixels(image.pixels);
      note.watch([&] { options.images->sink(image); });
    }
  } catch (const Error& error) {
    if (error.code() != Code::bad_input) throw;
    return fmt::format("its images were not all read: {}", error.message());
  }
  return note.text();
}

/// Passes the images inside a page of HTML to the sink. Returns a note.
std::string read_data_images(std::string_view html, const ExtractOptions& options) {
  if (!options.images) return {};
  std::optional<ExtractionChild> own;
  ExtractionChild& child = options.child ? *options.child : own.emplace();
  FigureNote note;
  int64_t number = 0;
  uint64_t seen = 0;
  each_data_image(html, [&](std::string bytes) {
    if (++seen > kMaxExtractedImages) return;
    note.watch([&] {
      DocumentImage image;
      decode_elsewhere(std::move(bytes), child, options, image);
      const int64_t side = std::min(image.pixels.width(), image.pixels.height());
      if (side > 0 && side < kMinFigureSide) return;
      image.number = ++number;
      options.images->sink(image);
    });
  });
  return note.text();
}

Extracted extract_whole(std::istream& input, FileKind kind, const std::filesystem::path& name,
                        const ExtractOptions& options, const DocumentSink& sink) {
  Sha256 hash;
  DocumentMemory memory(options.budget, copies_of(kind) + options.sink_copies, name);
  std::string content = read_whole(input, hash, options.max_file_bytes, memory);
  if (kind == FileKind::eml) {
    Extracted extracted = extract_eml(content, sink);
    extracted.sha256 = hash.hex();
    return extracted;
  }
  if (!is_valid_utf8(content)) memory.hold(2 * content.size());  // what is decoded, and its map
  DecodedText decoded = decode_text(std::move(content));
  Document document;
  std::string page;  // of HTML
  if (kind == FileKind::html) {
    document = document_of_html(decoded.text);
    if (decoded.source) document.source = document.source->through(*decoded.source);
    page = std::move(decoded.text);
  } else {
    document.is_markdown = kind == FileKind::markdown;
    document.title = title_of(without_mark(decoded.text), document.is_markdown);
    if (document.is_markdown) document.fields = front_matter_of(decoded.text);
    document.text = std::move(decoded.text);
    document.source = std::move(decoded.source);
  }
  if (document.title.empty()) document.title = name.stem().native();
  sink(std::move(document));
  const std::string image_note = read_data_images(page, options);
  if (!image_note.empty()) decoded.note += (decoded.note.empty() ? "" : "; ") + image_note;
  return {decoded.note, "", hash.hex()};
}

/// The name of a file as words: "IMG_2041-red car.jpg" is titled "IMG 2041 red car".
std::string title_of_image(const std::filesystem::path& name) {
  std::string words = name.stem().native();
  for (char& c : words)
    if (c == '_' || c == '-' || c == '.' || c == '+') c = ' ';
  return collapse_spaces(words);
}

Extracted extract_image(std::istream& input, const std::filesystem::path& name, const ExtractOptions& options,
                        const DocumentSink& sink) {
  Sha256 hash;
  DocumentMemory memory(options.budget, 1, name);
  std::string content = read_whole(input, hash, options.max_file_bytes, memory);
  Document document;
  document.title = title_of_image(name);
  sink(std::move(document));
  if (options.images) {
    std::optional<ExtractionChild> own;
    DocumentImage image;
    decode_elsewhere(std::move(content), options.child ? *options.child : own.emplace(), options, image);
    options.images->sink(image);
  }
  return {"", "", hash.hex()};
}

/// The text is held apart from the file: it has another size.
Extracted extract_elsewhere(std::istream& input, FileKind kind, const std::filesystem::path& name,
                            const ExtractOptions& options, const DocumentSink& sink) {
  Sha256 hash;
  DocumentMemory text_memory(options.budget, 1 + options.sink_copies, name);
  ExtractionChild::Reply reply;
  std::optional<ExtractionChild> own;
  ExtractionChild& child = options.child ? *options.child : own.emplace();
  {
    DocumentMemory file_memory(options.budget, copies_of(kind), name);
    std::string content = read_whole(input, hash, options.max_file_bytes, file_memory);
    reply = child.read(
        kind, std::move(content), options.budget, [&](uint64_t text_bytes) { text_memory.hold(text_bytes); },
        options.images ? options.images->max_pixels : 0);
  }
  Document& document = reply.document;
  if (document.title.empty()) {
    const std::string_view text = document.text;
    document.title = title_of(text.substr(std::min(text.find_first_not_of('\f'), text.size())), document.is_markdown);
  }
  if (document.title.empty()) document.title = name.stem().native();
  sink(std::move(document));
  if (options.images)
    if (const std::string note = read_figures(child, options); !note.empty())
      reply.note += (reply.note.empty() ? "" : "; ") + note;
  return {reply.note, "", hash.hex()};
}

}  // namespace

std::string_view to_string(FileKind kind) {
  switch (kind) {
    case FileKind::text:
      return "txt";
    case FileKind::markdown:
      return "md";
    case FileKind::html:
      return "html";
    case FileKind::csv:
      return "csv";
    case FileKind::jsonl:
      return "jsonl";
    case FileKind::pdf:
      return "pdf";
    case FileKind::docx:
      return "docx";
    case FileKind::pptx:
      return "pptx";
    case FileKind::xlsx:
      return "xlsx";
    case FileKind::odf:
      return "odf";
    case FileKind::epub:
      return "epub";
    case FileKind::eml:
      return "eml";
    case FileKind::mbox:
      return "mbox";
    case FileKind::image:
      return "image";
  }
  return "unknown";
}

bool needs_child(FileKind kind) {
  return kind == FileKind::pdf || kind == FileKind::docx || kind == FileKind::pptx || kind == FileKind::xlsx ||
         kind == FileKind::odf || kind == FileKind::epub;
}

bool may_have_images(FileKind kind) {
  return kind == FileKind::image || kind == FileKind::pdf || kind == FileKind::docx || kind == FileKind::pptx ||
         kind == FileKind::odf || kind == FileKind::epub || kind == FileKind::html;
}

std::optional<FileKind> file_kind(const std::filesystem::path& path) {
  const std::string extension = lower_extension(path);
  for (const Extension& each : kExtensions)
    if (extension == each.suffix) return each.kind;
  return std::nullopt;
}

Unsupported unsupported_reason(const std::filesystem::path& path) {
  const std::string extension = lower_extension(path);
  const bool is_old = std::find(std::begin(kOldOffice), std::end(kOldOffice), extension) != std::end(kOldOffice);
  if (extension.empty()) return Unsupported::no_extension;
  return is_old ? Unsupported::old_office : Unsupported::unknown_extension;
}

std::string unsupported_message(const std::filesystem::path& path) {
  const std::string extension = lower_extension(path);
  switch (unsupported_reason(path)) {
    case Unsupported::no_extension:
      return "no file extension";
    case Unsupported::unknown_extension:
      return "unknown file extension '" + extension + "'";
    case Unsupported::old_office:
      return fmt::format("{0}: a format of Office 97: save the file as {0}x", extension.substr(1));
  }
  return "not read";
}

int64_t page_at(std::string_view text, uint64_t offset, int64_t first_page) {
  const std::string_view before = text.substr(0, offset);
  return first_page > 0 ? first_page + std::count(before.begin(), before.end(), '\f') : 0;
}

Extracted extract(std::istream& input, FileKind kind, const std::filesystem::path& name, const ExtractOptions& options,
                  const DocumentSink& sink) {
  const DocumentSink bounded = [&](Document document) {
    document.title.resize(first_bytes(document.title, kMaxTitleBytes).size());
    sink(std::move(document));
  };
  if (kind == FileKind::image) return extract_image(input, name, options, bounded);
  if (needs_child(kind)) return extract_elsewhere(input, kind, name, options, bounded);
  const bool has_records = kind == FileKind::csv || kind == FileKind::jsonl || kind == FileKind::mbox;
  if (!has_records) return extract_whole(input, kind, name, options, bounded);
  Sha256 hash;
  DocumentMemory memory(options.budget, copies_of(kind) + options.sink_copies, name);
  LineReader lines(input, hash, options.max_record_bytes, memory);
  Extracted extracted = kind == FileKind::jsonl ? extract_jsonl(lines, bounded)
                        : kind == FileKind::csv ? extract_csv(lines, options, bounded)
                                                : extract_mbox(lines, options, bounded);
  extracted.sha256 = hash.hex();
  return extracted;
}

void DocumentMemory::hold(uint64_t bytes) {
  const uint64_t needed = copies_ * bytes;
  if (needed <= held_.bytes()) return;
  held_.absorb(budget_.reserve(MemoryTag::io, needed - held_.bytes(), fmt::format("reading '{}'", name_.native())));
}

bool LineReader::fill() {
  buffer_offset_ += at_;
  buffer_.erase(0, at_);
  at_ = 0;
  std::array<char, 1 << 16> block;
  input_.read(block.data(), block.size());
  const std::string_view got(block.data(), static_cast<size_t>(input_.gcount()));
  if (input_.bad()) throw Error(Code::io, "reading failed");
  hash_.update(got);
  buffer_ += got;
  return !got.empty();
}

bool LineReader::next(std::string& line) {
  line.clear();
  too_long_ = false;
  offset_ = buffer_offset_ + at_;
  for (bool more = true;;) {
    const size_t end = buffer_.find('\n', at_);
    const size_t stop = std::min(end, buffer_.size());
    too_long_ |= line.size() + (stop - at_) > max_line_bytes_;
    if (!too_long_) {
      memory_.hold(line.size() + (stop - at_));
      line.append(buffer_, at_, stop - at_);
    }
    at_ = end == std::string::npos ? buffer_.size() : end + 1;
    if (end != std::string::npos) break;
    more = fill();
    if (!more && line.empty() && !too_long_) return false;
    if (!more) break;
  }
  if (too_long_) line.clear();
  ++number_;
  return true;
}

void SkippedRecords::add(std::string_view why, int64_t line) {
  for (Reason& reason : reasons_)
    if (reason.why == why) return void(++reason.count);
  reasons_.push_back({std::string(why), 1, line});
}

std::string SkippedRecords::text() const {
  std::string text;
  for (const Reason& reason : reasons_) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{} record{}: {} (first: line {})", reason.count, reason.count == 1 ? "" : "s", reason.why,
                        reason.first_line);
  }
  return text;
}

}  // namespace frugal
