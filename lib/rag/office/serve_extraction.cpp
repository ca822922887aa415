#include "rag/office/serve_extraction.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <string>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"
#include "rag/extract/child_protocol.h"
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

bool serve(const ExtractionRequest& request, const std::string& file, int out) {
  OfficeText failure;
  try {
    return answer(out, read_office(static_cast<FileKind>(request.kind), file, request.max_text_bytes), false);
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
