#include "telemetry/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace frugal {
namespace {

// What comes through the pipe begins with one of these; a failure goes on with the code, the length of the message,
// the message and the hint.
constexpr char kResult = 'r', kFailure = 'f';

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(done));
  }
  return true;
}

std::string failure_of(const Error& error) {
  const uint64_t length = error.message().size();
  std::string bytes = {kFailure, static_cast<char>(error.code())};
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes + error.message() + error.hint();
}

[[noreturn]] void throw_failure(std::string_view bytes) {
  const auto code = static_cast<Code>(bytes.at(1));
  uint64_t length = 0;
  std::memcpy(&length, bytes.data() + 2, sizeof length);
  const std::string_view text = bytes.substr(2 + sizeof length);
  throw Error(code, std::string(text.substr(0, length))).hint(std::string(text.substr(length)));
}

[[noreturn]] void run_and_leave(const std::function<std::string()>& body, int to) {
  std::string bytes;
  try {
    bytes = kResult + body();
  } catch (const Error& error) {
    bytes = failure_of(error);
  } catch (const std::exception& error) {
    bytes = failure_of(Error(Code::internal, error.what()));
  }
  ::_exit(write_all(to, bytes) ? 0 : 1);
}

}  // namespace

std::string run_in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw io_error("open", "a pipe");
  const FileDescriptor from(ends[0]);
  FileDescriptor to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) throw io_error("start", "a child process");
  if (child == 0) run_and_leave(body, to.get());
  to.close();
  std::string bytes = read_to_end(from);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    throw Error(Code::internal, fmt::format("a child process was ended by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0 || bytes.empty())
    throw Error(Code::internal, fmt::format("a child process ended with {}", WEXITSTATUS(status)));
  if (bytes[0] == kFailure) throw_failure(bytes);
  return bytes.substr(1);
}

}  // namespace frugal
