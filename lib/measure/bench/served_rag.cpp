#include "measure/bench/served_rag.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// The settings of a question go with it; those that a server has are its index, and no cache of answers.
std::vector<std::string> server_command(const std::vector<std::string>& command, const fs::path& socket) {
  const fs::path program = fs::path(command[0]).parent_path() / "rag-serve";
  std::vector<std::string> server{program.native(), "--host", "none",  "--socket",           socket.native(),
                                  "--keep-alive",   "-1",     "--set", "cache.enabled=false"};
  const auto index = std::find(command.begin(), command.end(), "--index");
  if (index != command.end() && index + 1 != command.end()) server.insert(server.end(), {"--index", *(index + 1)});
  return server;
}

std::vector<std::string> client_command(std::vector<std::string> command, const fs::path& socket) {
  command.insert(command.begin() + 1, {"--server", "unix:" + socket.native()});
  return command;
}

}  // namespace

ServedRag::ServedRag(const std::vector<std::string>& command, std::chrono::milliseconds timeout)
    : timeout_(timeout),
      command_(client_command(command, folder_.path() / "socket")),
      server_(server_command(command, folder_.path() / "socket")) {
  std::error_code ignored;
  server_.wait_until([&] { return fs::exists(folder_.path() / "socket", ignored); }, timeout);
}

LatencySample ServedRag::ask(const std::string& question) {
  std::string warnings;
  LatencySample sample = ask_fresh_process(command_, question, timeout_, &warnings);
  if (warnings.find("this process answers") != std::string::npos)
    throw Error(Code::bad_input, "rag-serve did not answer: its index, models or settings differ from rag-query's")
        .hint("leave out flags that change models or the cache");
  return sample;
}

}  // namespace frugal
