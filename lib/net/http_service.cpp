// When a request is repeated: only while no byte of an answer has reached the caller, and only if the peer was not
// there, broke off, or said that it is overloaded. What is computed for a request changes nothing at the peer, so a
// repetition costs it time and no more. A peer that is silent is not asked again: it may still be at work, and the time
// is spent.
//
// Deadlines count from the first attempt. Each attempt gets what is left of them, and a wait that would not leave any
// ends the call.
//
// After a failure of the peer the service is paused: a server then answers its next questions by the fall-back at once,
// instead of waiting for the same deadline with each. A refusal of the request (4xx), or the end of a question's own
// deadline, says nothing about the peer and pauses nothing.
#include "net/http_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/visible.h"

namespace frugal {
namespace {

constexpr const char* kHint =
    "see that the service runs and that its address is right; a list of models names what takes its place "
    "(docs/remote.md)";

bool is_good(int status) {
  return status >= 200 && status < 300;
}
bool is_passing(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

double random_share() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// Up to 300 bytes of what a peer says, on one line, without the key that it may repeat.
std::string excerpt(std::string_view text, const std::string& key) {
  constexpr size_t kBytes = 300;
  std::string said(text.substr(0, kBytes + key.size()));
  bool is_cut = text.size() > said.size();
  for (size_t at = 0; !key.empty() && (at = said.find(key, at)) != said.npos;) said.replace(at, key.size(), "***");
  is_cut = is_cut || said.size() > kBytes;
  said = visible_line(repair_utf8(std::string_view(said).substr(0, kBytes)));
  return is_cut ? said + "…" : said;
}

std::string words_of(const HttpAnswer& answer, const HttpLimits& limits) {
  switch (answer.end) {
    case HttpEnd::unreachable:
      return fmt::format("cannot be reached: {}", answer.error);
    case HttpEnd::not_connected:
      return fmt::format("no connection within {} ms", limits.connect_ms);
    case HttpEnd::no_byte:
      return fmt::format("no answer within {} ms", limits.first_byte_ms);
    case HttpEnd::too_long:
      return fmt::format("no whole answer within {} ms", limits.total_ms);
    case HttpEnd::cut:
      return fmt::format("the connection broke off: {}", answer.error);
    case HttpEnd::too_large:
      return fmt::format("the answer is too large (remote.max_bytes is {})", limits.max_bytes);
    case HttpEnd::no_http:
      return fmt::format("the answer is no HTTP: {}", answer.error);
    case HttpEnd::done:
    case HttpEnd::cancelled:
    case HttpEnd::failed:
      break;
  }
  return answer.error;
}

std::string_view host_of(std::string_view url) {
  const size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

}  // namespace

void check_service_url(std::string_view url) {
  const auto bad = [&](std::string_view why) {
    return Error(Code::usage, fmt::format("'{}' is no address of a service: {}", visible_line(url), why))
        .hint("write it like http://127.0.0.1:8080 or https://example.org/v1");
  };
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    throw bad("it begins with neither http:// nor https://");
  if (std::any_of(url.begin(), url.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }))
    throw bad("it has spaces or control characters");
  if (host_of(url).empty()) throw bad("it names no host");
  if (host_of(url).find('@') != url.npos)
    throw Error(Code::usage, "the address of a service holds a name or a password")
        .hint("give the key in FRUGAL_API_KEY or remote.key_file instead");
  if (url.find('?') != url.npos) throw bad("it has a query");
}

std::string read_service_key(const RemoteOptions& options, const char* variable) {
  std::string key;
  if (!options.key_file.empty()) {
    constexpr uint64_t kMaxBytes = 64 << 10;
    key = read_file(options.key_file, kMaxBytes);
    key.resize(std::min(key.find('\n'), key.size()));
  } else if (const char* own = std::getenv(variable); own && *own) {
    key = own;
  } else if (const char* common = std::getenv("FRUGAL_API_KEY")) {
    key = common;
  }
  while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
  const bool is_plain = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_plain || (key.empty() && !options.key_file.empty()))
    throw Error(Code::usage, "the key of remotes is no key: it is empty, or has spaces or control characters")
        .hint("remote.key_file holds the key alone, on one line");
  return key;
}

int64_t retry_wait_ms(int64_t retry, double jitter, int64_t retry_after_ms) {
  const double most = std::min(5000.0, 100.0 * std::exp2(static_cast<double>(std::min<int64_t>(retry, 16))));
  return std::max(static_cast<int64_t>(most * jitter), retry_after_ms);
}

HttpService::HttpService(std::string name, std::string url, std::string key, RemoteOptions options,
                         MakeClient make_client)
    : name_(std::move(name)),
      url_(std::move(url)),
      key_(std::move(key)),
      options_(std::move(options)),
      make_client_(std::move(make_client)) {
  if (!key_.empty() && url_.starts_with("http://") && !is_loopback(host_of(url_)))
    log(LogLevel::warn, "{}: the key is sent unencrypted; use https://", name_);
}

std::unique_ptr<HttpClient> HttpService::take_client() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<HttpClient> client = std::move(idle_.back());
      idle_.pop_back();
      return client;
    }
  }
  return make_client_();
}

void HttpService::keep_client(std::unique_ptr<HttpClient> client) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(client));
}

void HttpService::throw_if_paused() {
  const std::lock_guard lock(mutex_);
  if (Clock::now() < paused_until_)
    throw Error(Code::remote, fmt::format("{}: not asked again yet, because of: {}", name_, paused_because_))
        .hint(kHint);
}

void HttpService::pause(std::string_view why) {
  const std::lock_guard lock(mutex_);
  paused_until_ = Clock::now() + std::chrono::milliseconds(options_.pause_ms);
  paused_because_ = why;
}

Error HttpService::failed(std::string_view why) {
  pause(why);
  return Error(Code::remote, fmt::format("{}: {}", name_, why)).hint(kHint);
}

// Of an answer whose status is not good.
Error HttpService::refused(const HttpAnswer& answer) const {
  Error error(Code::remote, fmt::format("{}: status {}: {}", name_, answer.status, excerpt(answer.body, key_)));
  if (answer.status == 401 || answer.status == 403)
    error.hint("give the service's key in FRUGAL_API_KEY or remote.key_file");
  else if (answer.status >= 300 && answer.status < 400)
    error.hint("write the address that it redirects to: redirections are not followed");
  else
    error.hint(kHint);
  return error;
}

// One call of send(): what is left of its deadlines, and what has become of it.
struct HttpService::Attempt {
  const RemoteOptions& options;
  const int64_t total_ms;
  const Clock::time_point began = Clock::now();
  bool streamed = false;  // a byte has reached the sink

  int64_t elapsed_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
  }
  int64_t first_byte_ms() const { return std::min(options.first_byte_ms, total_ms); }
  HttpLimits limits() const {
    const auto left = [&](int64_t limit) { return std::max<int64_t>(limit - elapsed_ms(), 1); };
    return {std::min(options.connect_ms, left(total_ms)), left(first_byte_ms()), left(total_ms), options.max_bytes};
  }
  bool may_repeat(const HttpAnswer& answer) const {
    if (streamed) return false;
    if (answer.end == HttpEnd::done) return is_passing(answer.status);
    return answer.end == HttpEnd::unreachable || answer.end == HttpEnd::cut;
  }
  // True if the caller's deadline ended it, which is shorter than the service's own.
  bool ended_by_caller(HttpEnd end) const {
    if (end == HttpEnd::not_connected) return total_ms < options.connect_ms;
    if (end == HttpEnd::no_byte) return total_ms < options.first_byte_ms;
    return end == HttpEnd::too_long && total_ms < options.total_ms;
  }
  // False if the deadline would pass meanwhile.
  bool wait(int64_t ms) const {
    if (elapsed_ms() + ms >= first_byte_ms()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    return true;
  }
};

std::string HttpService::send(const char* method, std::string_view path, const std::string& body,
                              std::string_view expected_type, const HttpSink& sink, int64_t deadline_ms) {
  throw_if_paused();
  Attempt attempt{options_, deadline_ms > 0 ? std::min(deadline_ms, options_.total_ms) : options_.total_ms};
  HttpCall request{method, fmt::format("{}{}", url_, path), {}, body, {}};
  request.headers = {fmt::format("Accept: {}", expected_type), "User-Agent: frugal"};
  if (!body.empty()) request.headers.emplace_back("Content-Type: application/json");
  if (!key_.empty()) request.headers.push_back(fmt::format("Authorization: Bearer {}", key_));
  HttpSink counted;
  if (sink)
    counted = [&](std::string_view bytes) {
      attempt.streamed = true;
      return sink(bytes);
    };
  std::unique_ptr<HttpClient> client = take_client();
  HttpAnswer answer;
  for (int64_t retry = 0;; ++retry) {
    request.limits = attempt.limits();
    answer = client->exchange(request, counted);
    if (!attempt.may_repeat(answer) || retry >= options_.retries) break;
    if (!attempt.wait(retry_wait_ms(retry, random_share(), answer.retry_after_ms))) break;
  }
  keep_client(std::move(client));
  if (answer.end == HttpEnd::cancelled) return {};
  if (answer.end != HttpEnd::done) {
    const HttpLimits whole{options_.connect_ms, attempt.first_byte_ms(), attempt.total_ms, options_.max_bytes};
    const std::string why = words_of(answer, whole);
    if (attempt.ended_by_caller(answer.end)) throw Error(Code::remote, fmt::format("{}: {}", name_, why)).hint(kHint);
    throw failed(why);
  }
  if (!is_good(answer.status)) {
    if (is_passing(answer.status)) pause(fmt::format("status {}", answer.status));
    throw refused(answer);
  }
  std::string type = answer.content_type;
  std::transform(type.begin(), type.end(), type.begin(), ascii_lower);
  if (!type.starts_with(expected_type))
    throw failed(fmt::format("the answer is '{}', not {}", excerpt(answer.content_type, key_), expected_type));
  return std::move(answer.body);
}

}  // namespace frugal
