// Milvus servers that tests start themselves, each in a folder and on a port of its own. FRUGAL_MILVUS_SERVER names the
// program milvus-server, FRUGAL_MILVUS_LITE the program milvus-lite.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "rag/vectors/milvus_client.h"
#include "support/temp_folder.h"

namespace frugal::testing {

/// A program that serves the protocol of Milvus.
struct MilvusProgram {
  const char* name;
  const char* variable;                    // that has its path
  std::array<const char*, 6> before_port;  // its arguments, DATA for the folder; empty: none
};
inline constexpr std::array kMilvusPrograms = {
    MilvusProgram{"milvus-server", "FRUGAL_MILVUS_SERVER", {"--data", "DATA", "--proxy-port", "", "", ""}},
    MilvusProgram{
        "milvus-lite", "FRUGAL_MILVUS_LITE", {"server", "--host", "127.0.0.1", "--data-dir", "DATA", "--port"}}};

/// A port of the loopback device that nobody listens on.
inline int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

/// Killed with its owner.
class MilvusServer {
 public:
  /// Not started yet.
  MilvusServer(const MilvusProgram& program, std::string path) : program_(program), path_(std::move(path)) {}
  ~MilvusServer() { kill(); }
  MilvusServer(const MilvusServer&) = delete;
  MilvusServer& operator=(const MilvusServer&) = delete;

  /// Starts it, again on the same port and data, and waits until it answers.
  void start() {
    std::vector<std::string> words = {path_};
    for (const std::string word : program_.before_port)
      if (!word.empty()) words.push_back(word == "DATA" ? (folder_ / "data").native() : word);
    words.push_back(std::to_string(port_));
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (!::freopen((folder_ / "log").c_str(), "a", stdout) || ::dup2(1, 2) < 0) ::_exit(127);
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(path_.c_str(), arguments.data());
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);
    bool answers = false;
    for (int tries = 0; tries < 1200 && !(answers = is_ready()); ++tries) ::usleep(100'000);
    REQUIRE(answers);
  }
  /// With the processes that it has started.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  MilvusAddress address() const { return {"127.0.0.1", port_, "", false}; }
  /// They wait long, so that a machine that is busy makes no test fail.
  VectorOptions options() const {
    VectorOptions options;
    options.place = address().text();
    options.timeout_ms = 60'000;
    return options;
  }

 private:
  bool is_ready() const {
    try {
      MilvusClient(address(), options()).list({"frugal_none", "none"});
      return true;
    } catch (const Error& error) {
      if (error.code() != Code::remote) throw;
      return false;
    }
  }

  TempFolder folder_;
  const MilvusProgram& program_;
  std::string path_;
  int port_ = free_port();
  pid_t pid_ = -1;
};

/// The server of a program, started with the first call and killed when the test program ends; null without the program
/// or the plugin.
inline MilvusServer* milvus_server(const MilvusProgram& program) {
#ifdef FRUGAL_TEST_MILVUS
  static std::array<std::unique_ptr<MilvusServer>, kMilvusPrograms.size()> servers;
  std::unique_ptr<MilvusServer>& server = servers[static_cast<size_t>(&program - kMilvusPrograms.data())];
  const char* path = ::getenv(program.variable);
  if (!server && path) {
    ::setenv("FRUGAL_PLUGINS", FRUGAL_TEST_MILVUS, 1);
    ::setenv("GRPC_ENABLE_FORK_SUPPORT", "1", 1);  // tests fork writers to kill them
    server = std::make_unique<MilvusServer>(program, path);
    server->start();
  }
  if (server) return server.get();
#endif
  static std::array<bool, kMilvusPrograms.size()> is_said{};
  if (!std::exchange(is_said[static_cast<size_t>(&program - kMilvusPrograms.data())], true))
    MESSAGE("SKIP: " << std::string(program.variable) << " does not name " << std::string(program.name)
                     << ", or the plugin is not built");
  return nullptr;
}

}  // namespace frugal::testing
