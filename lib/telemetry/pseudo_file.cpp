#include "telemetry/pseudo_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace frugal {

std::optional<std::string> read_pseudo_file(const std::filesystem::path& path) {
  try {
    return read_file(path, 1 << 20);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<uint64_t> line_value(const std::string& text, const std::string& name) {
  size_t at = text.compare(0, name.size(), name) == 0 ? 0 : text.find("\n" + name);
  if (at == std::string::npos) return std::nullopt;
  at += (text[at] == '\n') + name.size();
  return std::strtoull(text.c_str() + at, nullptr, 10);
}

std::optional<uint64_t> line_kib(const std::string& text, const std::string& name) {
  const std::optional<uint64_t> value = line_value(text, name);
  return value ? std::optional(*value * 1024) : std::nullopt;
}

size_t read_proc(const char* path, char* buffer, size_t capacity) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t got = ::read(fd, buffer, capacity - 1);
  ::close(fd);
  buffer[got > 0 ? got : 0] = '\0';
  return got > 0 ? static_cast<size_t>(got) : 0;
}

// The name may hold spaces and parentheses, so fields are counted after the last one.
uint64_t stat_field(const char* stat, int number) {
  const char* field = std::strrchr(stat, ')');
  for (int i = 2; field && i < number; ++i) field = std::strchr(field + 1, ' ');
  return field ? std::strtoull(field, nullptr, 10) : 0;
}

}  // namespace frugal
