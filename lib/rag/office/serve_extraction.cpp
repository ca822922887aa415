#include "rag/office/serve_extraction.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <new>
#include <span>
#include <string>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"
#include "memory/budget.h"
#include "model/vision/rgb_image.h"
#include "rag/extract/child_protocol.h"
#include "rag/office/bounded_image.h"
#include "rag/office/figures.h"
#include "rag/office/office.h"
#include "rag/office/sandbox.h"

namespace frugal {
namespace {

constexpr size_t kMaxNoteBytes = 4096;

bool read_all(int fd, void* bytes, size_t num_bytes) {
  for (char* at = static_cast<char*>(bytes); num_bytes > 0;) {
    const ssize_t got = ::read(fd, at, num_bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    num_bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool write_all(int fd, const void* bytes, size_t num_bytes) {
  for (const char* at = static_cast<const char*>(bytes); num_bytes > 0;) {
    const ssize_t done = ::write(fd, at, num_bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    num_bytes -= static_cast<size_t>(done);
  }
  return true;
}

bool answer(int out, const OfficeText& text, bool failed) {
  const std::string_view title = first_bytes(text.title, kMaxNoteBytes), note = first_bytes(text.note, kMaxNoteBytes);
  ExtractionReply reply;
  reply.failed = failed;
  reply.first_page = static_cast<uint64_t>(text.first_page);
  reply.is_markdown = text.is_markdown;
  reply.title_bytes = title.size();
  reply.note_bytes = note.size();
  reply.text_bytes = text.text.size();
  return write_all(out, &reply, sizeof reply) && write_all(out, title.data(), title.size()) &&
         write_all(out, note.data(), note.size()) && write_all(out, text.text.data(), text.text.size());
}

bool send_image(int out, const RgbImage& image, int64_t page) {
  ExtractionImage header;
  header.page = static_cast<uint64_t>(page);
  header.width = static_cast<uint64_t>(image.width());
  header.height = static_cast<uint64_t>(image.height());
  return write_all(out, &header, sizeof header) && write_all(out, image.pixels().data(), image.pixels().size());
}

bool end_images(int out) {
  ExtractionImage header;
  header.is_last = 1;
  return write_all(out, &header, sizeof header);
}

/// What is decoded before the answer can still fail it.
bool serve_image(const ExtractionRequest& request, const std::string& file, int out) {
  Budget budget(request.memory_bytes);
  const RgbImage image = decode_bounded(std::as_bytes(std::span(file)), request.max_image_pixels, budget);
  return answer(out, OfficeText(), false) && send_image(out, image, 0) && end_images(out);
}

/// Passes the figures that can be decoded, and that are no icons, to `sink`, until it returns false.
void each_figure(const ExtractionRequest& request, const std::string& file,
                 const std::function<bool(const RgbImage&, int64_t page)>& sink) {
  Budget budget(request.memory_bytes);
  const auto decode = [&](std::string_view bytes, int64_t page) {
    try {
      const RgbImage image = decode_bounded(std::as_bytes(std::span(bytes)), request.max_image_pixels, budget);
      return std::min(image.width(), image.height()) < kMinFigureSide || sink(image, page);
    } catch (const Error&) {
      return true;
    } catch (const std::bad_alloc&) {
      return true;
    }
  };
  find_figures(static_cast<FileKind>(request.kind), file, decode);
}

/// The text was answered, so that no figure fails the file any more: one that cannot be read is left out.
bool serve_figures(const ExtractionRequest& request, const std::string& file, int out) {
  uint64_t count = 0;
  bool is_open = true;
  try {
    each_figure(request, file, [&](const RgbImage& image, int64_t page) {
      is_open = send_image(out, image, page);
      return is_open && ++count < kMaxExtractedImages;
    });
  } catch (const std::exception&) {  // of an archive, whose text was read
  }
  return is_open && end_images(out);
}

/// A file without text is of use if it has images, as a scan has.
bool has_figures(const ExtractionRequest& request, const std::string& file) {
  bool found = false;
  if (request.max_image_pixels > 0)
    each_figure(request, file, [&](const RgbImage&, int64_t) { return !(found = true); });
  return found;
}

bool serve_text(const ExtractionRequest& request, const std::string& file, int out) {
  const auto kind = static_cast<FileKind>(request.kind);
  OfficeText text = read_office(kind, file, request.max_text_bytes);
  if (!text.no_text.empty()) {
    if (!has_figures(request, file)) throw without_text(kind, text);
    text.note = text.no_text;
  }
  if (!answer(out, text, false)) return false;
  return request.max_image_pixels == 0 || serve_figures(request, file, out);
}

bool serve(const ExtractionRequest& request, const std::string& file, int out) {
  OfficeText failure;
  try {
    const bool is_image = static_cast<FileKind>(request.kind) == FileKind::image;
    return is_image && request.max_image_pixels > 0 ? serve_image(request, file, out) : serve_text(request, file, out);
  } catch (const Error& error) {
    failure.note = error.message();
  } catch (const std::bad_alloc&) {
    failure.note = fmt::format("{}: needs more than {} to be read", to_string(static_cast<FileKind>(request.kind)),
                               format_bytes(request.memory_bytes));
  } catch (const std::exception& error) {
    failure.note = fmt::format("{}: damaged ({})", to_string(static_cast<FileKind>(request.kind)), error.what());
  }
  return answer(out, failure, true);
}

}  // namespace

int serve_extraction(int in, int out) {
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is for the tool, which then closes the pipe
  std::signal(SIGPIPE, SIG_IGN);
  enter_sandbox();
  for (ExtractionRequest request; read_all(in, &request, sizeof request);) {
    if (request.version != kExtractionVersion) return exit_code(Code::mismatch);
    limit_resources(request.memory_bytes, request.cpu_seconds);
    try {
      std::string file(request.file_bytes, '\0');
      if (!read_all(in, file.data(), file.size())) return 0;
      if (!serve(request, file, out)) return 0;
    } catch (const std::bad_alloc&) {
      return kExtractionOutOfMemory;
    }
    ::malloc_trim(0);
  }
  return 0;
}

}  // namespace frugal
