// HTTP by libcurl, behind net/http_abi.h.
//
// A client owns a multi handle, which keeps connections between exchanges, and makes an easy handle for each. libcurl
// knows no deadline for the first byte, and the waits of curl_easy_perform() are as long as a second; so the loop of
// exchange() waits itself, no longer than until the next deadline, and looks at the clock after each wait.
//
// Head and body count against max_bytes together, so that neither endless headers nor an endless body takes memory.
// The sink is called while libcurl is on the stack: an exception in it must not pass, and by the contract cannot.
#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "net/http_abi.h"

struct frugal_http_client {
  CURLM* multi = nullptr;
};

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMaxHeadBytes = 128 << 10;  // libcurl itself takes 300 kB

// A peer that closes its end while TLS writes raises SIGPIPE, which would end the host. It is blocked for this thread,
// and one that came is taken back.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;
  ~NoBrokenPipe() {
    const timespec no_wait{0, 0};
    if (!was_pending_) sigtimedwait(&pipe_, nullptr, &no_wait);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Exchange {
  const frugal_http_request& request;
  frugal_http_answer& answer;
  CURL* easy = nullptr;
  Clock::time_point began = Clock::now();
  uint64_t taken = 0, head = 0;  // bytes of head and body; of the head
  bool too_large = false, cancelled = false;

  int64_t elapsed_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
  }
  bool take(uint64_t bytes) {
    taken += bytes;
    too_large = taken > request.max_bytes;
    return !too_large;
  }
};

void end_with(frugal_http_answer& answer, int32_t end, const char* words) {
  answer.end = end;
  std::snprintf(answer.error, sizeof answer.error, "%s", words);
}

// The value of a header line if it has this name, without spaces around it.
bool value_of(std::string_view line, std::string_view name, std::string_view* value) {
  if (line.size() < name.size() + 1 || line[name.size()] != ':') return false;
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  if (!std::equal(name.begin(), name.end(), line.begin(), same)) return false;
  line.remove_prefix(name.size() + 1);
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  *value = line;
  return true;
}

size_t on_header(const char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  exchange.head += line.size();
  if (!exchange.take(line.size()) || exchange.head > kMaxHeadBytes) {
    exchange.too_large = true;
    return 0;
  }
  frugal_http_answer& answer = exchange.answer;
  std::string_view value;
  if (line.substr(0, 5) == "HTTP/") {  // another head, behind that of a 1xx or of a proxy
    answer.retry_after_s = -1;
    answer.content_type[0] = 0;
  } else if (value_of(line, "Content-Type", &value)) {
    std::snprintf(answer.content_type, sizeof answer.content_type, "%.*s", int(std::min(value.size(), size_t(127))),
                  value.data());
  } else if (value_of(line, "Retry-After", &value) && !value.empty() && value.size() < 7 &&
             value.find_first_not_of("0123456789") == value.npos) {
    answer.retry_after_s = std::atoi(value.data());
  }
  return line.size();
}

size_t on_body(const char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const size_t bytes = size * count;
  if (!exchange.take(bytes)) return 0;
  if (exchange.answer.status == 0) {
    long status = 0;
    curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
    exchange.answer.status = static_cast<int32_t>(status);
  }
  if (!exchange.request.sink || exchange.request.sink(exchange.request.state, data, bytes) != 0) return bytes;
  exchange.cancelled = true;
  return 0;
}

bool set_up(Exchange& exchange, curl_slist* headers) {
  const frugal_http_request& request = exchange.request;
  CURL* easy = exchange.easy;
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, request.url);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // does not wait for a resolver that is still at work
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_ms));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_ms));
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  set(CURLOPT_ERRORBUFFER, exchange.answer.error);
  if (std::strcmp(request.method, "POST") == 0) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body_bytes));
    set(CURLOPT_POSTFIELDS, request.body);
  }
  return good;
}

int32_t end_of(const Exchange& exchange, CURLcode code) {
  if (exchange.cancelled) return FRUGAL_HTTP_CANCELLED;
  if (exchange.too_large) return FRUGAL_HTTP_TOO_LARGE;
  switch (code) {
    case CURLE_OK:
      return FRUGAL_HTTP_DONE;
    case CURLE_OPERATION_TIMEDOUT: {
      if (exchange.taken > 0) return FRUGAL_HTTP_TOO_LONG;
      curl_off_t connected_us = 0;
      curl_easy_getinfo(exchange.easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
      return connected_us > 0 ? FRUGAL_HTTP_NO_BYTE : FRUGAL_HTTP_NOT_CONNECTED;
    }
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
      return FRUGAL_HTTP_UNREACHABLE;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return FRUGAL_HTTP_CUT;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return FRUGAL_HTTP_FAILED;
    default:
      return FRUGAL_HTTP_NO_HTTP;
  }
}

// Runs the transfer to its end; false: no byte came within first_byte_ms.
bool perform(CURLM* multi, const Exchange& exchange, CURLcode* code) {
  const frugal_http_request& request = exchange.request;
  *code = CURLE_FAILED_INIT;
  for (int running = 1; running > 0;) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) return true;
    if (running == 0) break;
    const int64_t now_ms = exchange.elapsed_ms();
    if (exchange.taken == 0 && now_ms >= request.first_byte_ms) return false;
    const int64_t next_ms = exchange.taken == 0 ? std::min(request.first_byte_ms, request.total_ms) : request.total_ms;
    // libcurl's own timers may be earlier; the multi handle wakes for them.
    const auto wait_ms = static_cast<int>(std::clamp<int64_t>(next_ms - now_ms, 1, 60'000));
    if (curl_multi_poll(multi, nullptr, 0, wait_ms, nullptr) != CURLM_OK) return true;
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left))
    if (message->msg == CURLMSG_DONE) *code = message->data.result;
  return true;
}

void exchange(frugal_http_client* client, const frugal_http_request* request, frugal_http_answer* answer) {
  std::memset(answer, 0, sizeof *answer);
  answer->retry_after_s = -1;
  const NoBrokenPipe guard;
  const std::unique_ptr<CURL, CloseEasy> easy(curl_easy_init());
  // libcurl asks before it sends more than a MiB, which some servers never answer.
  std::unique_ptr<curl_slist, FreeList> headers(curl_slist_append(nullptr, "Expect:"));
  for (uint64_t i = 0; headers && i < request->header_count; ++i) {
    curl_slist* longer = curl_slist_append(headers.get(), request->headers[i]);
    if (!longer) headers.reset();
  }
  if (!easy || !headers) return end_with(*answer, FRUGAL_HTTP_FAILED, "out of memory");
  Exchange running{*request, *answer};
  running.easy = easy.get();
  if (!set_up(running, headers.get())) return end_with(*answer, FRUGAL_HTTP_FAILED, "libcurl refuses the request");
  if (curl_multi_add_handle(client->multi, easy.get()) != CURLM_OK)
    return end_with(*answer, FRUGAL_HTTP_FAILED, "libcurl takes no request");
  CURLcode code = CURLE_OK;
  const bool in_time = perform(client->multi, running, &code);
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  answer->status = static_cast<int32_t>(status);
  answer->end = in_time ? end_of(running, code) : FRUGAL_HTTP_NO_BYTE;
  if (answer->end != FRUGAL_HTTP_DONE && answer->error[0] == 0)
    std::snprintf(answer->error, sizeof answer->error, "%s", curl_easy_strerror(code));
  curl_multi_remove_handle(client->multi, easy.get());
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, nullptr);
}

frugal_http_client* open_client() {
  auto* client = new (std::nothrow) frugal_http_client;
  if (!client) return nullptr;
  client->multi = curl_multi_init();
  if (client->multi) return client;
  delete client;
  return nullptr;
}

void close_client(frugal_http_client* client) {
  curl_multi_cleanup(client->multi);
  delete client;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const frugal_http_plugin* frugal_http_query(uint32_t host_abi) {
  if (host_abi != FRUGAL_HTTP_ABI) return nullptr;
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  static const frugal_http_plugin plugin{FRUGAL_HTTP_ABI, sizeof(frugal_http_plugin), open_client, close_client,
                                         exchange};
  return ready ? &plugin : nullptr;
}
