// Settings of rag-serve, and of how rag-query finds it.
#pragma once

#include <cstdint>
#include <string>

#include "base/setting.h"

namespace frugal {

struct ServeSettings {
  std::string client = "auto";
  std::string host = "127.0.0.1";
  int64_t port = 8321;
  std::string socket;
  std::string key_file;
  std::string keep_alive = "5m";
  bool preload = false;
  int64_t workers = 1;
  int64_t max_queue = 512;
  std::string allow_hosts, allow_origins;

  template <typename F>
  void visit(F&& f) {
    f("serve.client", client,
      {"whether rag-query asks a running rag-serve: auto (if one listens on serve.socket and would answer as this "
       "process "
       "does), never, unix:PATH or http://ADDRESS:PORT"});
    f("serve.host", host, {"address to listen on; one that other machines reach needs serve.key_file; none: no port"});
    f("serve.port", port, {"port to listen on; 0: a free one", Range{0, 65535}});
    f("serve.socket", socket,
      {"Unix socket to listen on; empty: frugal/serve.socket in $XDG_RUNTIME_DIR, or in the cache; none: no socket"});
    f("serve.key_file", key_file, {"file with the key that clients must send; empty: none is asked for", {}, {}, true});
    f("serve.keep_alive", keep_alive,
      {"how long index and models stay loaded after the last request: 300, 5m, 1h, 0 (unload at once), -1 (for ever)"});
    f("serve.preload", preload, {"open index and embedder at the start; until then /health answers 503"});
    f("serve.workers", workers, {"processes that share the port and the packs", Range{1, 256}});
    f("serve.max_queue", max_queue, {"requests that wait at most; others are answered 429", Range{1, 1e6}});
    f("serve.allow_hosts", allow_hosts,
      {"names that requests may give as Host beside localhost, separated by commas (against DNS rebinding)"});
    f("serve.allow_origins", allow_origins,
      {"origins of web pages that may use the server, as https://notes.example, separated by commas (CORS)"});
  }
};

}  // namespace frugal
