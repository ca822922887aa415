// A remote service: a base address with its key, deadlines, retries, and a pause after a failure. It turns all that can
// go wrong with a peer into one kind of error that names the service.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/setting.h"
#include "net/http_client.h"

namespace frugal {

/// Of all remote services.
struct RemoteOptions {
  int64_t connect_ms = 2000;
  int64_t first_byte_ms = 30'000;
  int64_t total_ms = 120'000;
  int64_t retries = 2;
  int64_t pause_ms = 10'000;
  uint64_t max_bytes = uint64_t(16) << 20;
  std::string key_file;

  template <typename F>
  void visit(F&& f) {
    f("remote.connect_ms", connect_ms,
      {"time limit for a connection to a remote service, in milliseconds", Range{1, 1e9}});
    f("remote.first_byte_ms", first_byte_ms,
      {"time limit for the first byte of a remote's answer, in milliseconds, retries included", Range{1, 1e9}});
    f("remote.total_ms", total_ms,
      {"time limit for a whole answer of a remote, in milliseconds, retries included", Range{1, 1e9}});
    f("remote.retries", retries,
      {"how often a request is repeated that found no connection, was cut off, or was refused for a moment (429, 5xx)",
       Range{0, 100}});
    f("remote.pause_ms", pause_ms,
      {"time after a failure in which a remote is not asked, and its fall-back works at once, in milliseconds",
       Range{0, 1e9}});
    f("remote.max_bytes", max_bytes,
      {"maximum bytes of a remote's answer, also written like 16MiB", Range{1024, 1e12}, Unit::bytes});
    f("remote.key_file", key_file,
      {"file with the key of the remotes; empty: the environment's FRUGAL_GENERATOR_KEY, FRUGAL_EMBEDDER_KEY, "
       "FRUGAL_READER_KEY, or FRUGAL_API_KEY for all",
       {},
       Unit::none,
       /*user_only=*/true});
  }
};

/// The key of a service: the first line of options.key_file, or else of the environment's variable `variable`, or else
/// of FRUGAL_API_KEY; empty: none. Throws Error(io) if the file cannot be read, Error(usage) if it holds no key.
std::string read_service_key(const RemoteOptions& options, const char* variable);

/// Checks an address: http: or https:, a host, and no name or password in it. Throws Error(usage).
void check_service_url(std::string_view url);

/// The wait before retry `retry` (from 0): up to 100 ms · 2^retry, at most 5 s, times `jitter` (0…1); no less than
/// `retry_after_ms`.
int64_t retry_wait_ms(int64_t retry, double jitter, int64_t retry_after_ms);

/// Thread-safe: each exchange has a client of its own.
class HttpService {
 public:
  using MakeClient = std::function<std::unique_ptr<HttpClient>()>;

  /// `name` is for messages: "openai:http://host#model". `make_client` is for tests.
  HttpService(std::string name, std::string url, std::string key, RemoteOptions options,
              MakeClient make_client = open_http_client);

  /// Sends JSON to url + `path` ("" for GET's body) and returns the body of the answer, which has status 200 to 299 and
  /// whose content type begins with `expected_type`. With a sink, its bytes go there instead. Repeats the request while
  /// that is harmless: no byte has reached the sink, and the peer was not there, broke off or asked to come again. All
  /// attempts and waits end within total_ms of options, or `deadline_ms` if that is above 0 and less.
  ///
  /// Throws Error(remote), whose message names the service. If the peer failed, not the request, the service is paused:
  /// the next calls throw the same at once.
  std::string send(const char* method, std::string_view path, const std::string& body, std::string_view expected_type,
                   const HttpSink& sink = {}, int64_t deadline_ms = 0);
  std::string post(std::string_view path, const std::string& body) {
    return send("POST", path, body, "application/json");
  }

  const std::string& name() const { return name_; }
  const RemoteOptions& options() const { return options_; }
  /// Error(remote): the service's answer is not as it must be. Pauses the service.
  Error failed(std::string_view why);

 private:
  using Clock = std::chrono::steady_clock;
  struct Attempt;
  void throw_if_paused();
  void pause(std::string_view why);
  Error refused(const HttpAnswer& answer) const;
  std::unique_ptr<HttpClient> take_client();
  void keep_client(std::unique_ptr<HttpClient> client);

  const std::string name_, url_, key_;
  const RemoteOptions options_;
  const MakeClient make_client_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> idle_;
  Clock::time_point paused_until_{};
  std::string paused_because_;
};

}  // namespace frugal
