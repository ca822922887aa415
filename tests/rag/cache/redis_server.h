// Servers of the Redis protocol that tests start themselves, each in a folder and on a socket of its own.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "rag/cache/redis_client.h"
#include "support/temp_folder.h"

namespace frugal::testing {

/// The path of a program in $PATH; empty: there is none.
inline std::string find_program(const std::string& name) {
  std::istringstream folders(::getenv("PATH") ? ::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  return {};
}

/// The programs that can be tested: Redis and Valkey, those that are installed. Empty also without the plugin.
inline std::vector<std::string> redis_programs() {
  std::vector<std::string> found;
#ifdef FRUGAL_TEST_REDIS
  ::setenv("FRUGAL_PLUGINS", FRUGAL_TEST_REDIS, 1);
  for (const char* name : {"redis-server", "valkey-server"})
    if (const std::string program = find_program(name); !program.empty()) found.push_back(program);
#endif
  if (found.empty()) MESSAGE("SKIP: neither redis-server nor valkey-server is installed, or the plugin is not built");
  return found;
}

/// Killed with its owner, or with the test.
class RedisServer {
 public:
  explicit RedisServer(std::string program, std::vector<std::string> more = {})
      : program_(std::move(program)), more_(std::move(more)) {
    start();
  }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  void start() {
    const std::string log = (folder_ / "log").native(), path = folder_.path().native(), sock = socket();
    std::vector<std::string> words = {program_, "--port",       "0",  "--unixsocket", sock, "--dir", path, "--save",
                                      "",       "--appendonly", "no", "--logfile",    log};
    words.insert(words.end(), more_.begin(), more_.end());
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(program_.c_str(), arguments.data());
      ::_exit(127);
    }
    for (int tries = 0; tries < 500 && !accepts(); ++tries) ::usleep(10'000);
    REQUIRE(accepts());
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  std::string socket() const { return (folder_ / "s").native(); }
  RedisPlace place() const {
    RedisPlace place;
    place.socket = socket();
    return place;
  }
  /// Waits long, so that a machine that is busy makes no test fail.
  std::shared_ptr<RedisClient> client() const {
    RedisOptions options;
    options.place = place();
    options.timeout_ms = 10'000;
    return std::make_shared<RedisClient>(std::move(options));
  }

 private:
  bool accepts() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket().c_str(), sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
  }

  TempFolder folder_;
  std::string program_;
  std::vector<std::string> more_;
  pid_t pid_ = -1;
};

}  // namespace frugal::testing
