#include "net/http_client.h"

#include <exception>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "base/plugin_library.h"
#include "net/http_abi.h"

namespace frugal {
namespace {

static_assert(int(HttpEnd::done) == FRUGAL_HTTP_DONE && int(HttpEnd::unreachable) == FRUGAL_HTTP_UNREACHABLE &&
              int(HttpEnd::not_connected) == FRUGAL_HTTP_NOT_CONNECTED &&
              int(HttpEnd::no_byte) == FRUGAL_HTTP_NO_BYTE && int(HttpEnd::too_long) == FRUGAL_HTTP_TOO_LONG &&
              int(HttpEnd::cut) == FRUGAL_HTTP_CUT && int(HttpEnd::too_large) == FRUGAL_HTTP_TOO_LARGE &&
              int(HttpEnd::no_http) == FRUGAL_HTTP_NO_HTTP && int(HttpEnd::cancelled) == FRUGAL_HTTP_CANCELLED &&
              int(HttpEnd::failed) == FRUGAL_HTTP_FAILED);

constexpr const char* kPluginHint =
    "install libcurl's development package (scripts/setup does) and build again, or name models of this machine "
    "(docs/remote.md)";

using HttpTable = PluginTable<frugal_http_plugin>;

// Opened once: every client of the process shares it.
std::shared_ptr<const HttpTable> http_table() {
  static std::mutex mutex;
  static std::weak_ptr<const HttpTable> opened;
  const std::lock_guard lock(mutex);
  std::shared_ptr<const HttpTable> table = opened.lock();
  if (!table)
    opened = table = std::make_shared<const HttpTable>(find_plugin("http", kPluginHint), FRUGAL_HTTP_SYMBOL,
                                                       FRUGAL_HTTP_ABI, kPluginHint);
  return table;
}

// What the bytes of a body go through.
struct BodyTarget {
  HttpAnswer& answer;
  const frugal_http_answer& raw;
  const HttpSink& sink;
  std::exception_ptr thrown = {};  // by the sink: no exception crosses the C functions of the plugin
};

int32_t take_body(void* state, const char* data, uint64_t bytes) {
  auto& target = *static_cast<BodyTarget*>(state);
  const std::string_view text(data, bytes);
  try {
    if (target.sink && target.raw.status >= 200 && target.raw.status < 300) return target.sink(text) ? 1 : 0;
    target.answer.body += text;
    return 1;
  } catch (...) {
    target.thrown = std::current_exception();
    return 0;
  }
}

class PluginHttpClient final : public HttpClient {
 public:
  PluginHttpClient() : table_(http_table()), client_((*table_)->open(), (*table_)->close) {
    if (!client_) throw Error(Code::over_budget, "no memory for a network client");
  }

  HttpAnswer exchange(const HttpCall& request, const HttpSink& sink) override {
    std::vector<const char*> headers;
    headers.reserve(request.headers.size());
    for (const std::string& header : request.headers) headers.push_back(header.c_str());
    HttpAnswer answer;
    frugal_http_answer raw{};
    BodyTarget target{answer, raw, sink};
    const HttpLimits& limits = request.limits;
    const frugal_http_request how{request.method.c_str(), request.url.c_str(), headers.data(),    headers.size(),
                                  request.body.data(),    request.body.size(), limits.connect_ms, limits.first_byte_ms,
                                  limits.total_ms,        limits.max_bytes,    take_body,         &target};
    (*table_)->exchange(client_.get(), &how, &raw);
    if (target.thrown) std::rethrow_exception(target.thrown);
    answer.end = static_cast<HttpEnd>(raw.end);
    answer.status = raw.status;
    answer.retry_after_ms = raw.retry_after_s < 0 ? -1 : raw.retry_after_s * 1000;
    answer.content_type = raw.content_type;
    answer.error = raw.error;
    return answer;
  }

 private:
  std::shared_ptr<const HttpTable> table_;
  std::unique_ptr<frugal_http_client, void (*)(frugal_http_client*)> client_;
};

}  // namespace

std::unique_ptr<HttpClient> open_http_client() {
  return std::make_unique<PluginHttpClient>();
}

}  // namespace frugal
