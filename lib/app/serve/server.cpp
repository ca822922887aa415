#include "app/serve/server.h"

#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <memory>
#include <mutex>
#include <utility>

#include "app/api/worker_orders.h"
#include "app/api/worker_states.h"
#include "base/error.h"
#include "base/log.h"

namespace frugal::serve {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds kTick{500};

/// Accepts the connections of one socket.
template <typename Protocol>
class Acceptor {
 public:
  using Accepted = std::function<void(Connection::Socket)>;

  Acceptor(asio::io_context& io, const Protocol& protocol, int fd, Accepted accepted)
      : io_(io), acceptor_(io, protocol, fd), wait_(io), accepted_(std::move(accepted)) {
    accept();
  }
  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    wait_.cancel();
  }

 private:
  void accept() {
    acceptor_.async_accept(io_, [this](const error_code& error, typename Protocol::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (!error) accepted_(Connection::Socket(std::move(socket)));
      if (!error || error == asio::error::connection_aborted) return accept();
      // Out of file descriptors: some will be free again.
      wait_.expires_after(kTick);
      wait_.async_wait([this](const error_code& stopped) {
        if (!stopped) accept();
      });
    });
  }

  asio::io_context& io_;
  typename Protocol::acceptor acceptor_;
  asio::steady_timer wait_;
  const Accepted accepted_;
};

using TcpAcceptor = Acceptor<asio::ip::tcp>;
using LocalAcceptor = Acceptor<asio::local::stream_protocol>;

asio::ip::tcp family_of(int fd) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &bytes);
  return storage.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

class Server {
 public:
  Server(api::Context& context, const ServerOptions& options)
      : options_(options),
        context_(context),
        gate_(options.gate),
        queue_(options.handlers, options.max_queued),
        shared_{context, gate_, queue_, options.patience},
        signals_(io_, SIGTERM, SIGINT, SIGHUP),
        timer_(io_) {
    context_.figures = [this] { return figures(); };
  }

  ~Server() {
    context_.figures = [] { return api::ServerFigures{}; };
  }

  void listen(const std::vector<Listener>& listeners) {
    for (const Listener& listener : listeners) {
      const int fd = ::dup(listener.fd.get());
      if (fd < 0) throw io_error("listen on", listener.name);
      const bool is_local = listener.is_local;
      const auto accepted = [this, is_local](Connection::Socket socket) { accept(std::move(socket), is_local); };
      if (is_local)
        local_.push_back(std::make_unique<LocalAcceptor>(io_, asio::local::stream_protocol(), fd, accepted));
      else
        tcp_.push_back(std::make_unique<TcpAcceptor>(io_, family_of(fd), fd, accepted));
    }
  }

  void run(const std::function<void()>& started) {
    await_signal();
    tick();
    if (options_.preload) preload();
    if (started) started();
    io_.run();
  }

 private:
  void accept(Connection::Socket socket, bool is_local) {
    if (shared_.connections >= int64_t(options_.max_connections)) return;  // closes it
    auto connection = std::make_shared<Connection>(std::move(socket), shared_, is_local);
    std::erase_if(connections_, [](const auto& each) { return each.expired(); });
    connections_.push_back(connection);
    connection->start();
  }

  void await_signal() {
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error) return;
      if (signal != SIGHUP) return stop();
      queue_.push([this] { context_.engine.unload(); });
      await_signal();
    });
  }

  void preload() {
    context_.is_ready = false;
    queue_.push([this] {
      try {
        context_.engine.preload();
      } catch (const Error& error) {
        log(LogLevel::warn, "preloading failed: {}", error.message());
      }
      context_.is_ready = true;
    });
  }

  void tick() {
    api::post_state(context_);
    timer_.expires_after(kTick);
    timer_.async_wait([this](const error_code& error) {
      if (error) return;
      if (stops_at_) return end_if_done();
      if (!is_unloading_.exchange(true)) unload_if_idle();
      tick();
    });
  }

  // On a handler's thread, because an order of another worker may wait for a computation that runs.
  void unload_if_idle() {
    const bool accepted = queue_.push([this] {
      api::obey_orders(context_);
      context_.engine.unload_if_idle();
      is_unloading_ = false;
    });
    if (!accepted) is_unloading_ = false;
  }

  void stop() {
    shared_.stops = true;
    for (const auto& acceptor : tcp_) acceptor->close();
    for (const auto& acceptor : local_) acceptor->close();
    queue_.close();
    for (const auto& each : connections_)
      if (const auto connection = each.lock()) connection->stop();
    stops_at_ = std::chrono::steady_clock::now() + options_.grace;
    end_if_done();
  }

  void end_if_done() {
    if (shared_.connections == 0 || std::chrono::steady_clock::now() >= *stops_at_) return io_.stop();
    timer_.expires_after(std::chrono::milliseconds(20));
    timer_.async_wait([this](const error_code& error) {
      if (!error) end_if_done();
    });
  }

  api::ServerFigures figures() const {
    const WorkQueue::Figures now = queue_.figures();
    const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - began_;
    return {shared_.connections, int64_t(now.queued), int64_t(now.running),
            shared_.requests,    shared_.rejected,    uptime.count()};
  }

  const ServerOptions& options_;
  api::Context& context_;
  const RequestGate gate_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  asio::io_context io_{1};
  WorkQueue queue_;  // its threads end before the io_context that they post to
  Shared shared_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  std::vector<std::unique_ptr<TcpAcceptor>> tcp_;
  std::vector<std::unique_ptr<LocalAcceptor>> local_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::atomic<bool> is_unloading_{false};
  std::optional<std::chrono::steady_clock::time_point> stops_at_;
};

}  // namespace

void run_server(api::Context& context, const std::vector<Listener>& listeners, const ServerOptions& options,
                const std::function<void()>& started) {
  Server server(context, options);
  server.listen(listeners);
  server.run(started);
}

}  // namespace frugal::serve
