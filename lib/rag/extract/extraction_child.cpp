#include "rag/extract/extraction_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "base/utf8.h"
#include "rag/extract/child_protocol.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// A file and the tree of an XML file in it: a tree takes several times the bytes that it was read from.
constexpr uint64_t kMemoryPerFileByte = 12;
constexpr uint64_t kMaxNoteBytes = 1 << 16;
// The clock of the wall runs on while other processes have the processor.
constexpr int kWallPerCpu = 4;

fs::path program_beside_us() {
  std::error_code unknown;
  return fs::read_symlink("/proc/self/exe", unknown).parent_path().parent_path() / "libexec/frugal/frugal-extract";
}

Error no_program(FileKind kind, const fs::path& program) {
  return Error(Code::bad_input, fmt::format("{}: is read by frugal-extract, which is not installed ('{}')",
                                            to_string(kind), program.native()))
      .hint("run scripts/setup, build again, and run rag-index add again");
}

}  // namespace

ExtractionChild::ExtractionChild(Limits limits) : limits_(std::move(limits)) {
  if (limits_.program.empty()) limits_.program = program_beside_us();
}

ExtractionChild::~ExtractionChild() {
  stop();
}

void ExtractionChild::start(FileKind kind) {
  if (pid_ >= 0) return;
  if (::access(limits_.program.c_str(), X_OK) != 0) throw no_program(kind, limits_.program);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw io_error("open", "a socket pair");
  const FileDescriptor theirs(ends[0]);
  FileDescriptor ours(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);  // whatever of ours is not closed on exec: sockets, files
  const std::string name = limits_.program.native();
  char* const arguments[] = {const_cast<char*>(name.c_str()), nullptr};
  char* const environment[] = {nullptr};
  const int status = ::posix_spawn(&pid_, name.c_str(), &actions, nullptr, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (status != 0) {
    pid_ = -1;
    errno = status;
    throw io_error("run", name);
  }
  socket_ = std::move(ours);
}

/// Ends the program and returns the status that it ended with.
int ExtractionChild::stop() {
  socket_.close();
  int status = 0;
  if (pid_ < 0) return status;
  // One that waits for a request ends by itself now; one that reads a file may take long, or for ever.
  constexpr int kPatienceMs = 1000;
  const pid_t pid = std::exchange(pid_, -1);
  for (int waited = 0; !timed_out_ && waited < kPatienceMs; ++waited) {
    if (const pid_t done = ::waitpid(pid, &status, WNOHANG); done == pid || (done < 0 && errno != EINTR)) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Error ExtractionChild::ended(int status) const {
  const std::string_view kind = to_string(kind_);
  if (timed_out_ || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
    return Error(Code::bad_input, fmt::format("{}: takes longer than {} s to read", kind, cpu_time_.count()));
  if (WIFEXITED(status) && WEXITSTATUS(status) == kExtractionOutOfMemory)
    return Error(Code::bad_input, fmt::format("{}: needs more than {} to be read", kind, format_bytes(memory_bytes_)));
  if (WIFSIGNALED(status))
    return Error(Code::bad_input, fmt::format("{}: its reader crashed (signal {}): the file is damaged, or needs more "
                                              "than {} to be read",
                                              kind, WTERMSIG(status), format_bytes(memory_bytes_)));
  return Error(Code::bad_input, fmt::format("{}: its reader gave up (exit code {}): the file is damaged, or needs more "
                                            "than {} to be read",
                                            kind, WEXITSTATUS(status), format_bytes(memory_bytes_)));
}

void ExtractionChild::fail() {
  throw ended(stop());
}

void ExtractionChild::wait_until_ready(short events) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    pollfd waited{socket_.get(), events, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready > 0) return;
    if (ready < 0 && errno == EINTR) continue;
    timed_out_ = true;
    fail();
  }
}

void ExtractionChild::send(const void* bytes, size_t num_bytes) {
  for (const char* at = static_cast<const char*>(bytes); num_bytes > 0;) {
    const ssize_t sent = ::send(socket_.get(), at, num_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) wait_until_ready(POLLOUT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) fail();
    at += sent;
    num_bytes -= static_cast<size_t>(sent);
  }
}

void ExtractionChild::receive(void* bytes, size_t num_bytes) {
  for (char* at = static_cast<char*>(bytes); num_bytes > 0;) {
    wait_until_ready(POLLIN);
    const ssize_t got = ::recv(socket_.get(), at, num_bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail();
    at += got;
    num_bytes -= static_cast<size_t>(got);
  }
}

std::string ExtractionChild::receive_text(uint64_t num_bytes) {
  std::string text(num_bytes, '\0');
  receive(text.data(), text.size());
  return repair_utf8(text);
}

void ExtractionChild::reserve(uint64_t file_bytes, Budget& budget) {
  memory_ = Reservation();
  memory_ = budget.reserve(MemoryTag::io, kMemoryPerFileByte * file_bytes + limits_.min_memory_bytes,
                           fmt::format("the program that reads {}", to_string(kind_)));
  uint64_t more = limits_.memory_bytes - std::min(limits_.memory_bytes, limits_.min_memory_bytes);
  // Half of what is left: the text needs room, too.
  if (budget.limited())
    more = std::min(more, (budget.limit_bytes() - std::min(budget.limit_bytes(), budget.used_bytes())) / 2);
  memory_.absorb(budget.reserve_up_to(MemoryTag::io, more, Budget::Reclaim::no));
  memory_bytes_ = memory_.bytes();
}

void ExtractionChild::fail_as_nonsense() {
  timed_out_ = true;  // it may write for ever
  stop();
  throw Error(Code::bad_input, fmt::format("{}: '{}' is of another version, or answers nonsense", to_string(kind_),
                                           limits_.program.native()))
      .hint("build again, or install again");
}

ExtractionChild::Reply ExtractionChild::read(FileKind kind, std::string file, Budget& budget,
                                             const std::function<void(uint64_t)>& hold, uint64_t max_image_pixels) {
  if (max_image_pixels_ > 0) timed_out_ = true, stop();  // it still has images of the file before
  kind_ = kind;
  max_image_pixels_ = 0;
  reserve(file.size(), budget);
  cpu_time_ = limits_.cpu_time + std::chrono::seconds(2 * (file.size() >> 20));
  timed_out_ = false;
  deadline_ = Clock::now() + kWallPerCpu * cpu_time_;
  start(kind);

  ExtractionRequest request;
  request.kind = static_cast<uint64_t>(kind);
  request.memory_bytes = memory_bytes_;
  request.cpu_seconds = static_cast<uint64_t>(cpu_time_.count());
  request.max_text_bytes = limits_.max_text_bytes;
  request.max_image_pixels = max_image_pixels;
  request.file_bytes = file.size();
  send(&request, sizeof request);
  send(file.data(), file.size());
  std::string().swap(file);

  ExtractionReply header;
  receive(&header, sizeof header);
  const bool possible = header.version == kExtractionVersion && header.title_bytes <= kMaxNoteBytes &&
                        header.note_bytes <= kMaxNoteBytes && header.text_bytes <= limits_.max_text_bytes;
  if (!possible) fail_as_nonsense();
  hold(header.text_bytes);
  Reply reply;
  reply.document.title = receive_text(header.title_bytes);
  reply.note = receive_text(header.note_bytes);
  reply.document.text = receive_text(header.text_bytes);
  reply.document.first_page = static_cast<int64_t>(std::min<uint64_t>(header.first_page, 1));
  reply.document.is_markdown = header.is_markdown != 0;
  if (header.failed == 0) max_image_pixels_ = max_image_pixels;
  images_ = 0;
  if (max_image_pixels_ == 0) memory_.release();
  if (header.failed != 0) throw Error(Code::bad_input, std::move(reply.note));
  return reply;
}

std::optional<ExtractionChild::Image> ExtractionChild::next_image(Budget& budget) {
  if (max_image_pixels_ == 0) return std::nullopt;
  deadline_ = Clock::now() + kWallPerCpu * cpu_time_;  // the caller may have taken its time
  const uint64_t max_pixels = std::exchange(max_image_pixels_, 0);
  ExtractionImage header;
  receive(&header, sizeof header);
  if (header.is_last != 0) {
    memory_.release();
    return std::nullopt;
  }
  const bool possible = header.width > 0 && header.height > 0 && header.width <= kMaxExtractedSide &&
                        header.height <= kMaxExtractedSide && header.width * header.height <= max_pixels &&
                        header.page <= INT32_MAX && ++images_ <= kMaxExtractedImages;
  if (!possible) fail_as_nonsense();
  try {
    Image image{RgbImage(budget, static_cast<int64_t>(header.width), static_cast<int64_t>(header.height), "an image"),
                static_cast<int64_t>(header.page)};
    receive(image.pixels.pixels().data(), image.pixels.pixels().size());
    max_image_pixels_ = max_pixels;
    return image;
  } catch (const Error& error) {
    if (error.code() == Code::over_budget) timed_out_ = true, stop();  // its pixels would be taken for the next header
    throw;
  }
}

}  // namespace frugal
