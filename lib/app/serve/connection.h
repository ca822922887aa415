// One connection: reads a request, passes it on, writes the reply, and reads the next (RFC 9112). Runs on the thread of
// the io_context, except for the Exchange, which any thread may use.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/api/http.h"
#include "app/api/routes.h"
#include "app/serve/request_gate.h"
#include "app/serve/work_queue.h"

namespace frugal::serve {

/// Times after which a client that does nothing is left.
struct Patience {
  int head_s = 10;   // from the first byte of a request to the end of its head
  int idle_s = 75;   // between requests
  int body_s = 60;   // for the whole body
  int write_s = 60;  // for each piece of a reply
};

/// What all connections of a process share.
struct Shared {
  api::Context& context;
  const RequestGate& gate;
  WorkQueue& queue;
  Patience patience;
  std::atomic<int64_t> connections{0}, requests{0}, rejected{0};
  std::atomic<bool> stops{false};  // replies end their connections
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  Connection(Socket socket, Shared& shared, bool is_local);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();
  /// Ends the connection if it waits for a request.
  void stop();

 private:
  class Reply;
  using Stream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void read_head();
  void on_head();
  void read_body();
  void dispatch();
  void watch_client();
  void refuse(api::HttpReply reply);
  void queue_bytes(std::string bytes, bool is_last);
  void write_next();
  void finish_request();
  void close();

  Stream stream_;
  Shared& shared_;
  const bool is_local_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  api::HttpRequest request_;
  const api::Route* route_ = nullptr;
  bool keeps_alive_ = false, is_chunked_ = false, is_head_ = false, waits_ = true;
  std::shared_ptr<Reply> reply_;  // of the request that is handled
  std::deque<std::string> out_;
  bool writes_ = false, is_closed_ = false;
  bool is_complete_ = false;  // all of the reply is in `out_`
};

}  // namespace frugal::serve
