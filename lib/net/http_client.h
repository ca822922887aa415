// One exchange of HTTP: a request out, an answer back, within deadlines. The bytes are moved by the plugin
// frugal_http.so (net/http_abi.h), which is opened with the first client, so that a process without remote services
// maps no network library. Not a service with retries and a key: net/http_service.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// The end of an exchange, as in net/http_abi.h.
enum class HttpEnd {
  done,  // a whole answer, whatever its status
  unreachable,
  not_connected,  // within connect_ms
  no_byte,        // within first_byte_ms
  too_long,       // than total_ms
  cut,            // before the end of the answer
  too_large,
  no_http,
  cancelled,  // by the sink
  failed
};

/// All from the start of the exchange.
struct HttpLimits {
  int64_t connect_ms = 2000;
  int64_t first_byte_ms = 30'000;
  int64_t total_ms = 120'000;
  uint64_t max_bytes = uint64_t(16) << 20;
};

struct HttpCall {
  std::string method = "POST";  // or "GET"
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  HttpLimits limits;
};

struct HttpAnswer {
  HttpEnd end = HttpEnd::failed;
  int status = 0;               // 0: none came
  int64_t retry_after_ms = -1;  // that the service asks to wait; -1: it did not
  std::string content_type;
  std::string error;  // unless `end` is done: the words of the library
  std::string body;   // what the sink did not take
};

/// Takes the next bytes of the body of an answer with a status of 200 to 299. Returns false to cancel; an exception
/// cancels, too, and passes through exchange().
using HttpSink = std::function<bool(std::string_view bytes)>;

/// Not thread-safe. Keeps connections open between exchanges.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// Ends within limits.total_ms. A failure is an HttpAnswer::end, not an Error. Follows no redirection.
  virtual HttpAnswer exchange(const HttpCall& request, const HttpSink& sink = {}) = 0;
};

/// Throws Error(missing) if the plugin is not there, Error(mismatch) if it is of another version.
std::unique_ptr<HttpClient> open_http_client();

}  // namespace frugal
