#include "app/serve/serve_command.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "app/api/http.h"
#include "app/api/mcp.h"
#include "app/api/warm_engine.h"
#include "app/api/worker_board.h"
#include "app/cli/input.h"
#include "app/cli/output.h"
#include "app/config/paths.h"
#include "app/serve/listeners.h"
#include "app/serve/server.h"
#include "app/serve/workers.h"
#include "app/wiring/service_identity.h"
#include "base/ascii.h"
#include "base/duration.h"
#include "base/error.h"

namespace frugal::serve {
namespace {

constexpr uint64_t kMaxKeyBytes = 4096;
constexpr int kHeaps = 2, kMappedBytes = 64 << 10;
constexpr size_t kMinHandlers = 16;
constexpr std::string_view kNone = "none";  // in place of an address or a socket

std::vector<std::string> parts_of(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view part = trim(list.substr(0, comma));
    if (!part.empty()) parts.emplace_back(part);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

std::string read_key(const std::string& file) {
  if (file.empty()) return {};
  std::string key(trim(read_file(expand_home(file), kMaxKeyBytes)));
  if (key.empty()) throw Error(Code::bad_input, fmt::format("'{}' holds no key", file));
  return key;
}

std::filesystem::path socket_of(const ServeSettings& settings) {
  if (settings.socket == kNone) return {};
  return settings.socket.empty() ? default_service_socket() : expand_home(settings.socket);
}

ServerOptions server_options(const ServeSettings& settings) {
  ServerOptions options;
  options.gate.key = read_key(settings.key_file);
  for (const std::string& host : parts_of(settings.allow_hosts)) options.gate.hosts.push_back(api::lower_case(host));
  options.gate.origins = parts_of(settings.allow_origins);
  options.max_queued = size_t(settings.max_queue);
  options.preload = settings.preload;
  // Each worker has fewer requests that could meet.
  options.handlers = std::max(kMinHandlers, options.handlers / static_cast<size_t>(settings.workers));
  if (settings.host != kNone && !is_loopback(settings.host)) {
    if (options.gate.key.empty())
      throw Error(Code::usage, fmt::format("other machines can reach {}, and no key is set", settings.host))
          .hint("write a secret into a file and give it as --api-key-file, or listen on 127.0.0.1");
    options.gate.hosts.push_back(settings.host);
  }
  return options;
}

void serve_assistant(const cli::Tool& tool, const Settings& settings, std::chrono::milliseconds keep_alive) {
  api::WarmEngine engine(tool, settings, keep_alive);
  api::Context context{engine, {}};
  const auto print = [](const std::string& line) {
    cli::print(line);
    cli::flush_output();
  };
  cli::read_input("-", [&](std::istream& lines) { api::serve_mcp(context, lines, print); });
}

std::string identity_of(const cli::Tool& tool, const Settings& settings) {
  try {
    return service_identity(tool, settings);
  } catch (const Error& error) {
    if (error.code() != Code::missing) throw;
    return {};  // no index: no question is asked here
  }
}

}  // namespace

void serve(const cli::Tool& tool, const Settings& settings, bool over_stdio) {
  // By default every thread has a heap of its own, and keeps what the largest of its requests took.
  ::mallopt(M_ARENA_MAX, kHeaps);
  // Larger blocks are mapped and so returned when they are freed. By default the threshold grows with them to 32 MiB.
  ::mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  const ServeSettings& asked = settings.serve;
  const auto keep_alive = parse_duration(asked.keep_alive);
  if (!keep_alive)
    throw Error(Code::usage, fmt::format("--keep-alive: '{}' is not a duration", asked.keep_alive))
        .hint("write 300 (seconds), 5m, 1h, 0 or -1");
  if (over_stdio) return serve_assistant(tool, settings, *keep_alive);
  const ServerOptions options = server_options(asked);
  std::optional<Address> address;
  if (asked.host != kNone) address = Address{asked.host, asked.port};
  const Listeners listeners(address, socket_of(asked));
  if (listeners.all().empty())
    throw Error(Code::usage, "there is neither a port nor a socket to listen on").hint("give --host or --socket");
  const auto greet = [&] {
    for (const Listener& listener : listeners.all()) cli::print_message(fmt::format("listening on {}", listener.name));
  };
  const auto work = [&](api::WorkerBoard* board, size_t worker, const std::function<void()>& started) {
    api::WarmEngine engine(tool, settings, *keep_alive);
    api::Context context{engine, identity_of(tool, settings)};
    context.board = board;
    context.worker = worker;
    run_server(context, listeners.all(), options, started);
  };
  if (asked.workers == 1) return work(nullptr, 0, greet);
  api::WorkerBoard board(static_cast<size_t>(asked.workers));  // before the workers are forked, which share it
  run_workers(
      board.workers(), [&](size_t worker) { work(&board, worker, {}); }, greet);
}

}  // namespace frugal::serve
