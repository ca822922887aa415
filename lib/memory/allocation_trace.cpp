#include "memory/allocation_trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/log.h"

namespace frugal {
namespace {

constexpr std::string_view kHeader = "frugal-allocations/1";
constexpr size_t kBufferBytes = 64 * 1024;
constexpr uint64_t kMaxBytes = uint64_t(1) << 46;

std::optional<MemoryTag> parse_tag(std::string_view name) {
  for (int i = 0; i < kMemoryTags; ++i)
    if (name == to_string(static_cast<MemoryTag>(i))) return static_cast<MemoryTag>(i);
  return std::nullopt;
}

std::string_view next_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<uint64_t> next_number(std::string_view& line) {
  const std::string_view word = next_word(line);
  uint64_t value = 0;
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (failed != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// Tracks the allocated ids and their sizes.
class TraceBuilder {
 public:
  void add(std::string_view line);
  AllocationTrace take() { return std::move(trace_); }

 private:
  [[noreturn]] static void fail(std::string_view what) { throw Error(Code::bad_input, std::string(what)); }
  static uint64_t number(std::string_view& line) {
    const std::optional<uint64_t> value = next_number(line);
    if (!value) fail("a number is missing");
    return *value;
  }
  static uint64_t size(std::string_view& line) {
    const uint64_t bytes = number(line);
    if (bytes > kMaxBytes) fail("the size is too large for any machine");
    return bytes;
  }

  struct Live {
    uint32_t id;
    MemoryTag tag;
    uint64_t bytes;
  };
  AllocationTrace trace_;
  std::unordered_map<uint64_t, Live> live_;  // by the file's id
  uint64_t live_bytes_ = 0;
};

void TraceBuilder::add(std::string_view line) {
  using Kind = AllocationEvent::Kind;
  const std::string_view kind = next_word(line);
  const uint64_t id = number(line);
  auto live = live_.find(id);
  if (kind == "+") {
    if (live != live_.end()) fail("the id is allocated already");
    const std::optional<MemoryTag> tag = parse_tag(next_word(line));
    if (!tag) fail("unknown kind of memory");
    if (trace_.ids == std::numeric_limits<uint32_t>::max()) fail("too many allocations");
    live = live_.emplace(id, Live{trace_.ids++, *tag, size(line)}).first;
    live_bytes_ += live->second.bytes;
    trace_.events.push_back({Kind::allocated, live->second.id, *tag, live->second.bytes, 0});
  } else if (live == live_.end()) {
    fail("the id is not allocated");
  } else if (kind == "=") {
    const uint64_t bytes = size(line);
    if (bytes < live->second.bytes) fail("the new size is smaller");
    live_bytes_ += bytes - live->second.bytes;
    live->second.bytes = bytes;
    trace_.events.push_back({Kind::grown, live->second.id, live->second.tag, bytes, 0});
  } else if (kind == "-") {
    live_bytes_ -= live->second.bytes;
    trace_.events.push_back({Kind::freed, live->second.id, live->second.tag, 0, 0});
    live_.erase(live);
  } else {
    fail("the line begins with neither +, = nor -");
  }
  trace_.events.back().ns = static_cast<int64_t>(std::min<uint64_t>(number(line), std::numeric_limits<int64_t>::max()));
  trace_.peak_live_bytes = std::max(trace_.peak_live_bytes, live_bytes_);
}

}  // namespace

AllocationRecorder::AllocationRecorder(const std::filesystem::path& file)
    : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (!fd_) log(LogLevel::warn, "allocations are not recorded: {}", io_error("open", file.native()).message());
  append(fmt::format("{}\n", kHeader));
}

AllocationRecorder::~AllocationRecorder() {
  flush();
}

AllocationRecorder* AllocationRecorder::active() {
  static const std::unique_ptr<AllocationRecorder> recorder = [] {
    const char* file = std::getenv("FRUGAL_ALLOCATION_TRACE");
    return file && *file ? std::make_unique<AllocationRecorder>(file) : nullptr;
  }();
  return recorder.get();
}

int64_t AllocationRecorder::since_ns() const {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin_).count();
}

uint64_t AllocationRecorder::allocated(MemoryTag tag, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  append(fmt::format("+ {} {} {} {}\n", ++last_id_, to_string(tag), bytes, since_ns()));
  return last_id_;
}

void AllocationRecorder::grown(uint64_t id, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  append(fmt::format("= {} {} {}\n", id, bytes, since_ns()));
}

void AllocationRecorder::freed(uint64_t id) {
  const std::lock_guard lock(mutex_);
  append(fmt::format("- {} {}\n", id, since_ns()));
}

void AllocationRecorder::append(std::string_view line) {
  if (!fd_) return;
  buffer_ += line;
  if (buffer_.size() >= kBufferBytes) flush();
}

void AllocationRecorder::flush() {
  const std::string text = std::exchange(buffer_, {});
  for (std::string_view rest = text; fd_ && !rest.empty();) {
    const ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      log(LogLevel::warn, "allocations are no longer recorded: {}", io_error("write", "the trace").message());
      fd_.close();
      return;
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

AllocationTrace read_allocation_trace(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  std::string_view rest = text;
  const auto next_line = [&rest] {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
  };
  if (next_line() != kHeader)
    throw Error(Code::bad_input, fmt::format("'{}' is not an allocation trace", file.native()))
        .hint("run a tool with FRUGAL_ALLOCATION_TRACE=FILE to make one");
  TraceBuilder builder;
  for (int64_t number = 2; !rest.empty(); ++number) try {
      builder.add(next_line());
    } catch (Error& error) {
      throw error.within(fmt::format("{}:{}", file.native(), number));
    }
  return builder.take();
}

AllocationTrace only(const AllocationTrace& trace, MemoryTag tag) {
  AllocationTrace part;
  std::vector<uint64_t> bytes(trace.ids);
  uint64_t live = 0;
  for (const AllocationEvent& event : trace.events) {
    if (event.tag != tag) continue;
    live += event.bytes - bytes[event.id];  // wraps where it shrinks, and back
    bytes[event.id] = event.bytes;
    part.events.push_back(event);
    part.peak_live_bytes = std::max(part.peak_live_bytes, live);
  }
  part.ids = trace.ids;
  return part;
}

}  // namespace frugal
