#include "rag/scan/watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/error.h"
#include "rag/scan/sources.h"

namespace frugal {
namespace {

constexpr uint32_t kEvents =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr auto kStep = std::chrono::milliseconds(100);
constexpr int kMaxQuiets = 10;

}  // namespace

Watch::Watch(const Coverage& coverage, const std::filesystem::path& index_folder)
    : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!fd_) throw io_error("watch", "files");
  SourceSink sink;
  sink.file = [](const auto&, bool) {};
  sink.skipped = [](const auto&, const auto&) {};
  sink.unreachable = [](const auto&, const auto&) {};
  sink.empty_root = [](const auto&) {};
  sink.excluded = [](const auto&) {};
  sink.folder = [&](const std::filesystem::path& folder) { add(folder, ""); };
  for (const auto& [root, options] : coverage.roots) {
    // From above, a root is seen to go and to come back.
    const std::filesystem::path path = root;
    add(path.parent_path(), path.filename().native());
    scan(coverage, path, index_folder, sink);
  }
}

void Watch::add(const std::filesystem::path& folder, const std::string& name) {
  const int watch = ::inotify_add_watch(fd_.get(), folder.c_str(), kEvents | IN_ONLYDIR);
  if (watch < 0 && errno == ENOSPC)
    throw Error(Code::io, "the system's limit on watched folders is reached")
        .hint("raise the limit max_user_watches of inotify, or watch fewer folders");
  if (watch < 0) return;  // it vanished, or cannot be read: neither can its files
  const auto [names, is_new] = names_.try_emplace(watch);
  if (name.empty()) {
    names->second.clear();
  } else if (is_new || !names->second.empty()) {
    names->second.insert(name);
  }
}

bool Watch::wait(std::chrono::milliseconds quiet, const std::function<bool()>& stop) {
  bool changed = false;
  Clock::time_point first, last;
  for (;;) {
    if (stop()) return false;
    const auto now = Clock::now();
    if (changed && (now - last >= quiet || now - first >= kMaxQuiets * quiet)) return true;
    pollfd poll{fd_.get(), POLLIN, 0};
    if (::poll(&poll, 1, static_cast<int>(std::min(kStep, quiet).count())) > 0 && read_events()) {
      last = Clock::now();
      if (!changed) first = last;
      changed = true;
    }
  }
}

/// Reads what has happened. Returns whether any of it matters.
bool Watch::read_events() {
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  bool matters = false;
  for (ssize_t got; (got = ::read(fd_.get(), buffer.data(), buffer.size())) > 0;) {
    for (size_t at = 0; at < static_cast<size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string name = event.len > 0 ? buffer.data() + at + sizeof event : "";
      const auto names = names_.find(event.wd);
      matters |= (event.mask & IN_Q_OVERFLOW) != 0 ||
                 (names != names_.end() && (names->second.empty() || names->second.contains(name)));
      at += sizeof event + event.len;
    }
  }
  return matters;
}

}  // namespace frugal
