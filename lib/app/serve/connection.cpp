// A reply is a queue of byte strings: a head with its body, or a head and chunks. Handlers fill it from their threads
// by posting to the io_context, which alone touches the socket. While a request is handled, the connection waits for
// the socket to become readable, to notice a client that leaves: its work is then cancelled.
//
// After an error in a request's framing the connection is closed, because where the next request begins is no longer
// certain (request smuggling, RFC 9112, 11.2).
#include "app/serve/connection.h"

#include <sys/socket.h>

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace frugal::serve {
namespace {

namespace http = boost::beast::http;
namespace asio = boost::asio;
using boost::system::error_code;

constexpr uint32_t kMaxHeadBytes = 16'384;
// What a client may leave unread of a streamed reply before its work ends.
constexpr int64_t kMaxUnreadBytes = 4 << 20;

std::string head_text(const api::HttpReply& reply, bool keeps_alive, const std::string& length) {
  const auto status = static_cast<http::status>(reply.status);
  const auto reason = http::obsolete_reason(status);
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n{}Connection: {}\r\n", reply.status,
                                 std::string_view(reason.data(), reason.size()), reply.content_type, length,
                                 keeps_alive ? "keep-alive" : "close");
  for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
  return text + "X-Content-Type-Options: nosniff\r\n\r\n";
}

api::HttpRequest request_of(const http::request_parser<http::string_body>& parser, bool is_local) {
  const auto& message = parser.get();
  const auto view = [](auto text) { return std::string_view(text.data(), text.size()); };
  api::HttpRequest request;
  request.is_local = is_local;
  request.method = view(message.method_string());
  const std::string_view target = view(message.target());
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  for (const auto& field : message)
    request.headers.emplace_back(api::lower_case(view(field.name_string())), view(field.value()));
  return request;
}

// Other transfer codings than chunked alone, which proxies and servers understand differently (RFC 9112, 6.3), are not
// understood at all.
bool has_plain_framing(const api::HttpRequest& request) {
  int codings = 0;
  for (const auto& [name, value] : request.headers) {
    if (name != "transfer-encoding") continue;
    if (++codings > 1 || api::lower_case(value) != "chunked") return false;
  }
  return true;
}

// The reply to a request that cannot be read; nullopt: the client is gone, or was too slow.
std::optional<api::HttpReply> reply_to(const error_code& error, const api::Route* route, std::string_view path) {
  const api::ErrorStyle style = route ? route->errors : api::error_style_of(path);
  if (error == http::error::body_limit)
    return api::error_reply(style, 413, "the body is too large", "send it in several requests");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return api::error_reply(style, 431, "the head of the request is too large");
  const bool is_malformed = error.category() == http::make_error_code(http::error::bad_method).category() &&
                            error != http::error::end_of_stream && error != http::error::partial_message;
  if (is_malformed) return api::error_reply(style, 400, "the request is not HTTP/1.1: " + error.message());
  return std::nullopt;
}

}  // namespace

/// The exchange of one request. Outlives the connection where a handler still works for a client that has left.
class Connection::Reply final : public api::Exchange, public std::enable_shared_from_this<Reply> {
 public:
  Reply(std::shared_ptr<Connection> connection, bool keeps_alive, bool is_chunked, bool is_head, std::string origin)
      : connection_(std::move(connection)),
        executor_(connection_->stream_.get_executor()),
        keeps_alive_(keeps_alive),
        is_chunked_(is_chunked),
        is_head_(is_head),
        origin_(std::move(origin)) {}

  void send(api::HttpReply reply) override {
    if (has_begun_) return end();  // an error after the head: what can still be said is that it ends
    has_begun_ = true;
    add_headers(reply);
    std::string text = head_text(reply, keeps_alive_, fmt::format("Content-Length: {}\r\n", reply.body.size()));
    if (!is_head_) text += reply.body;
    post(std::move(text), true);
  }

  void begin(api::HttpReply head) override {
    has_begun_ = is_stream_ = true;
    add_headers(head);
    post(head_text(head, keeps_alive_, is_chunked_ ? "Transfer-Encoding: chunked\r\n" : ""), false);
  }

  bool write(std::string_view piece) override {
    if (is_cancelled()) return false;
    if (piece.empty() || is_head_) return true;
    unread_ += int64_t(piece.size());
    post(is_chunked_ ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : std::string(piece), false);
    return unread_ < kMaxUnreadBytes;
  }

  void end() override {
    if (has_ended_ || !is_stream_) return;
    post(is_chunked_ && !is_head_ ? "0\r\n\r\n" : "", true);
  }

  bool is_cancelled() const override { return is_cancelled_; }

  void cancel() { is_cancelled_ = true; }
  void note_written(size_t bytes) { unread_ -= int64_t(bytes); }
  /// To be called when the handler has returned.
  void complete() {
    if (!has_begun_) send(api::error_reply(api::ErrorStyle::frugal, 500, "a bug in frugal: no reply"));
    end();
  }

 private:
  void add_headers(api::HttpReply& reply) const {
    if (origin_.empty()) return;
    reply.headers.emplace_back("Access-Control-Allow-Origin", origin_);
    reply.headers.emplace_back("Vary", "Origin");
  }

  void post(std::string bytes, bool is_last) {
    has_ended_ = has_ended_ || is_last;
    asio::post(executor_, [connection = connection_, bytes = std::move(bytes), is_last]() mutable {
      connection->queue_bytes(std::move(bytes), is_last);
    });
  }

  const std::shared_ptr<Connection> connection_;
  const Stream::executor_type executor_;
  const bool keeps_alive_, is_chunked_, is_head_;
  const std::string origin_;
  bool has_begun_ = false, is_stream_ = false, has_ended_ = false;
  std::atomic<bool> is_cancelled_{false};
  std::atomic<int64_t> unread_{0};
};

Connection::Connection(Socket socket, Shared& shared, bool is_local)
    : stream_(std::move(socket)), shared_(shared), is_local_(is_local) {
  ++shared_.connections;
}

Connection::~Connection() {
  --shared_.connections;
}

void Connection::start() {
  stream_.expires_after(std::chrono::seconds(shared_.patience.head_s));
  read_head();
}

void Connection::stop() {
  if (waits_) close();
}

void Connection::read_head() {
  waits_ = true;
  parser_.emplace();
  parser_->header_limit(kMaxHeadBytes);
  parser_->body_limit(boost::none);  // set with the route
  http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, size_t) {
    if (!error) return self->on_head();
    if (auto reply = reply_to(error, nullptr, {})) return self->refuse(std::move(*reply));
    self->close();
  });
}

void Connection::on_head() {
  waits_ = false;
  ++shared_.requests;
  request_ = request_of(*parser_, is_local_);
  is_head_ = request_.method == "HEAD";
  keeps_alive_ = parser_->get().keep_alive() && !shared_.stops;
  is_chunked_ = parser_->get().version() >= 11;
  if (!is_chunked_) keeps_alive_ = false;
  route_ = api::find_route(request_.method, request_.path);
  if (auto refused = shared_.gate.refusal(request_, route_)) return refuse(std::move(*refused));
  if (!has_plain_framing(request_))
    return refuse(api::error_reply(api::error_style_of(request_.path), 400, "Transfer-Encoding is not 'chunked' alone",
                                   "send the body as it is, with its length or in chunks"));
  if (!route_) {
    const std::string allowed = api::allowed_methods(request_.path);
    api::HttpReply reply =
        api::error_reply(api::error_style_of(request_.path), allowed.empty() ? 404 : 405,
                         allowed.empty() ? "there is no such route" : "the route has another method: " + allowed,
                         allowed.empty() ? "docs/tools/rag-serve.md lists the routes" : "");
    if (!allowed.empty()) reply.headers.emplace_back("Allow", allowed);
    return refuse(std::move(reply));
  }
  if (!request_.header("content-encoding").empty() && request_.header("content-encoding") != "identity")
    return refuse(api::error_reply(route_->errors, 415, "compressed bodies are not read", "send the body as it is"));
  parser_->body_limit(route_->max_body_bytes);
  if (parser_->content_length() && *parser_->content_length() > route_->max_body_bytes)
    return refuse(*reply_to(http::error::body_limit, route_, request_.path));
  const std::string_view expected = request_.header("expect");
  if (api::lower_case(expected) != "100-continue") return read_body();
  auto go_on = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
  asio::async_write(stream_, asio::buffer(*go_on), [self = shared_from_this(), go_on](const error_code& error, size_t) {
    return error ? self->close() : self->read_body();
  });
}

void Connection::read_body() {
  stream_.expires_after(std::chrono::seconds(shared_.patience.body_s));
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, size_t) {
    if (!error) return self->dispatch();
    if (auto reply = reply_to(error, self->route_, self->request_.path)) return self->refuse(std::move(*reply));
    self->close();
  });
}

void Connection::dispatch() {
  stream_.expires_never();
  request_.body = std::move(parser_->get().body());
  reply_ = std::make_shared<Reply>(shared_from_this(), keeps_alive_, is_chunked_, is_head_,
                                   shared_.gate.allowed_origin(request_));
  auto work = [reply = reply_, request = std::make_shared<api::HttpRequest>(std::move(request_)), route = route_,
               &context = shared_.context] {
    if (!reply->is_cancelled()) api::handle(*route, context, *request, *reply);
    reply->complete();
  };
  if (route_->is_probe) return work();
  if (shared_.queue.push(std::move(work))) return watch_client();
  ++shared_.rejected;
  reply_->send(api::error_reply(route_->errors, shared_.stops ? 503 : 429,
                                shared_.stops ? "the server is stopping" : "too many requests are waiting",
                                "try again in a second"));
}

void Connection::watch_client() {
  stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this(), reply = reply_](const error_code& error) {
    char byte = 0;
    const bool is_open =
        !error && ::recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    if (!is_open) reply->cancel();
  });
}

void Connection::refuse(api::HttpReply reply) {
  keeps_alive_ = false;  // its body has not been read
  reply_ =
      std::make_shared<Reply>(shared_from_this(), false, is_chunked_, is_head_, shared_.gate.allowed_origin(request_));
  reply_->send(std::move(reply));
}

void Connection::queue_bytes(std::string bytes, bool is_last) {
  if (is_closed_) return;
  is_complete_ = is_complete_ || is_last;
  if (!bytes.empty()) out_.push_back(std::move(bytes));
  if (!writes_) write_next();
}

void Connection::write_next() {
  if (out_.empty()) {
    if (is_complete_) finish_request();
    return;
  }
  writes_ = true;
  stream_.expires_after(std::chrono::seconds(shared_.patience.write_s));
  asio::async_write(stream_, asio::buffer(out_.front()),
                    [self = shared_from_this(), reply = reply_](const error_code& error, size_t bytes) {
                      self->writes_ = false;
                      reply->note_written(bytes);
                      if (!error) {
                        self->out_.pop_front();
                        return self->write_next();
                      }
                      reply->cancel();
                      self->close();
                    });
}

void Connection::finish_request() {
  reply_.reset();
  is_complete_ = false;
  if (!keeps_alive_ || shared_.stops) return close();
  stream_.expires_after(std::chrono::seconds(shared_.patience.idle_s));
  read_head();
}

void Connection::close() {
  if (std::exchange(is_closed_, true)) return;
  reply_.reset();
  error_code ignored;
  stream_.socket().shutdown(Socket::shutdown_send, ignored);
  // Unread bytes would turn the end of the connection into a reset, which can cost the client the reply.
  char rest[4096];
  for (int i = 0; i < 64 && ::recv(stream_.socket().native_handle(), rest, sizeof rest, MSG_DONTWAIT) > 0; ++i) {
  }
  stream_.close();
}

}  // namespace frugal::serve
