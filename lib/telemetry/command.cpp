#include "telemetry/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <sstream>
#include <thread>

#include "base/error.h"

extern char** environ;

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  FileDescriptor read_end, write_end;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw io_error("open", "a pipe");
    read_end = FileDescriptor(ends[0]);
    write_end = FileDescriptor(ends[1]);
  }
};

// A file in memory: a command's standard error goes there, and nothing has to be read while it runs.
FileDescriptor memory_file() {
  FileDescriptor file(::memfd_create("standard error", MFD_CLOEXEC));
  if (!file) throw io_error("create", "a file in memory");
  return file;
}

std::string read_from_start(const FileDescriptor& file) {
  constexpr size_t kEnough = 1 << 20;
  std::string text(kEnough, '\0');
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  void duplicate(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

int spawn(const std::vector<std::string>& arguments, const SpawnActions& actions) {
  FRUGAL_CHECK(!arguments.empty());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // We ignore them; a child must not inherit that.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::sigaddset(&defaults, SIGXFSZ);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int status = ::posix_spawnp(&pid, argv[0], actions.get(), &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (status == 0) return pid;
  errno = status;
  CannotStart error(io_error("run", arguments[0]).message(), status == ENOENT ? 127 : 126);
  error.hint("check the command's name and path");
  throw error;
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int wait_for(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return exit_code_of(status);
}

// True once `fd` has something to read (a process: its end), false after `timeout`.
bool becomes_readable(int fd, std::chrono::milliseconds timeout) {
  const Clock::time_point end = Clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    pollfd waited{fd, POLLIN, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw io_error("wait for", "a process");
  }
}

// Kills `pid` if it does not end in time; true if it had to.
bool kill_after(int pid, std::chrono::milliseconds timeout) {
  const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) throw io_error("watch", "a process");
  if (becomes_readable(process.get(), timeout)) return false;
  ::kill(pid, SIGKILL);
  return true;
}

// Memory of everything below this process. The list of processes is renewed with each detailed reading, since finding
// them means reading all of /proc.
class TreeMemory {
 public:
  explicit TreeMemory(int pid) : pids_{pid} {}
  std::optional<MemoryReading> light() const { return read_resident(pids_); }
  std::optional<ProcessMemory> detailed() {
    pids_ = descendants(::getpid());
    return read_processes(pids_);
  }

 private:
  std::vector<int> pids_;
};

// Waits for `pid` under a sampler; orphans of the command become our children, so that they stay in the sum.
int wait_sampled(int pid, const CommandOptions& options, CommandResult& result) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  TreeMemory tree(pid);
  MemorySampler sampler([&] { return tree.light(); }, [&] { return tree.detailed(); });
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (options.cancelled && options.cancelled()) ::kill(pid, SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  result.peak = sampler.peak();
  result.series = sampler.series();
  return exit_code_of(status);
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options) {
  CommandResult result;
  std::optional<Pipe> pipe;
  SpawnActions actions;
  if (options.capture_output) pipe.emplace();
  actions.duplicate(pipe ? pipe->write_end.get() : STDERR_FILENO, STDOUT_FILENO);
  FileDescriptor errors;
  if (options.capture_errors) {
    errors = memory_file();
    actions.duplicate(errors.get(), STDERR_FILENO);
  }
  const Clock::time_point begin = Clock::now();
  result.begin_ns = std::chrono::nanoseconds(begin.time_since_epoch()).count();
  const int pid = spawn(arguments, actions);
  std::thread reader;
  if (pipe) {
    pipe->write_end.close();
    reader = std::thread([&] { result.output = read_to_end(pipe->read_end); });
  }
  if (options.sample_memory) {
    result.exit_code = wait_sampled(pid, options, result);
  } else {
    if (options.timeout.count() > 0) result.timed_out = kill_after(pid, options.timeout);
    result.exit_code = wait_for(pid);
  }
  result.elapsed_ns = std::chrono::nanoseconds(Clock::now() - begin).count();
  if (reader.joinable()) reader.join();
  if (errors) result.errors = read_from_start(errors);
  return result;
}

Complaint read_complaint(std::string_view errors) {
  Complaint complaint;
  std::string last;
  std::istringstream lines{std::string(errors)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("error: ")) complaint = {line.substr(7), ""};
    if (line.starts_with("hint: ")) complaint.hint = line.substr(6);
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  }
  if (complaint.message.empty()) complaint.message = last;
  return complaint;
}

Service::Service(const std::vector<std::string>& arguments) : name_(arguments.at(0)), errors_(memory_file()) {
  SpawnActions actions;
  actions.duplicate(errors_.get(), STDOUT_FILENO);
  actions.duplicate(errors_.get(), STDERR_FILENO);
  pid_ = spawn(arguments, actions);
}

Service::~Service() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  wait_for(pid_);
}

void Service::wait_until(const std::function<bool()>& is_ready, std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds kStep{5};
  const Clock::time_point end = Clock::now() + timeout;
  while (!is_ready()) {
    const bool has_ended = ::waitpid(pid_, nullptr, WNOHANG) != 0;
    if (has_ended) pid_ = -1;
    if (has_ended || Clock::now() > end) {
      const Complaint complaint = read_complaint(read_from_start(errors_));
      throw Error(Code::bad_input, fmt::format("'{}' did not start{}{}", name_, complaint.message.empty() ? "" : ": ",
                                               complaint.message))
          .hint(complaint.hint);
    }
    std::this_thread::sleep_for(kStep);
  }
}

Conversation::Conversation(const std::vector<std::string>& arguments, std::chrono::milliseconds timeout)
    : name_(arguments.at(0)), timeout_(timeout), errors_(memory_file()) {
  // A socket, since only there a write to a program that has ended can be an error instead of SIGPIPE.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw io_error("open", "a socket pair");
  const FileDescriptor in(ends[0]);
  to_ = FileDescriptor(ends[1]);
  Pipe out;
  SpawnActions actions;
  actions.duplicate(in.get(), STDIN_FILENO);
  actions.duplicate(out.write_end.get(), STDOUT_FILENO);
  actions.duplicate(errors_.get(), STDERR_FILENO);
  pid_ = spawn(arguments, actions);
  from_ = std::move(out.read_end);
}

Conversation::~Conversation() {
  to_.close();
  from_.close();
  if (!waited_for_) wait_for(pid_);
}

// Also waits for it, so that what it wrote to standard error is whole.
Error Conversation::ended() {
  to_.close();
  from_.close();
  const int code = wait_for(pid_);
  waited_for_ = true;
  const Complaint complaint = read_complaint(read_from_start(errors_));
  return Error(Code::bad_input, fmt::format("'{}' ended with exit code {} before it answered{}{}", name_, code,
                                            complaint.message.empty() ? "" : ": ", complaint.message))
      .hint(complaint.hint);
}

void Conversation::send(const std::string& message) {
  for (size_t sent = 0; sent < message.size();) {
    const ssize_t written = ::send(to_.get(), message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw ended();
    sent += static_cast<size_t>(written);
  }
}

void Conversation::wait_for_output() {
  if (timeout_.count() == 0 || becomes_readable(from_.get(), timeout_)) return;
  ::kill(pid_, SIGKILL);
  throw Error(Code::bad_input, fmt::format("'{}' did not answer within {} ms", name_, timeout_.count()))
      .hint("give it longer with --timeout, or ask that question alone to see what it does");
}

std::string Conversation::ask(const std::string& line) {
  if (waited_for_) throw Error(Code::bad_input, fmt::format("'{}' has ended", name_));
  send(line + "\n");
  for (;;) {
    if (const size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string answer = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return answer;
    }
    wait_for_output();
    std::array<char, 1 << 16> buffer;
    const ssize_t got = ::read(from_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw ended();
    pending_.append(buffer.data(), static_cast<size_t>(got));
  }
}

}  // namespace frugal
