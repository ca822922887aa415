// Server-sent events (WHATWG HTML, 9.2): the body of a reply that grows while it is computed.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "app/api/http.h"

namespace frugal::api {

class EventStream {
 public:
  /// Sends the head of the reply.
  explicit EventStream(Exchange& exchange) : exchange_(exchange) {
    HttpReply head;
    head.content_type = "text/event-stream; charset=utf-8";
    head.headers.emplace_back("Cache-Control", "no-store");
    exchange_.begin(std::move(head));
  }
  /// An event; without a name, of the default type. `data` must be one line, as JSON is. False: the client is gone.
  bool send(std::string_view name, std::string_view data) {
    std::string event;
    if (!name.empty()) event.append("event: ").append(name).append("\n");
    event.append("data: ").append(data).append("\n\n");
    return exchange_.write(event);
  }
  bool send(std::string_view data) { return send({}, data); }
  void end() { exchange_.end(); }

 private:
  Exchange& exchange_;
};

}  // namespace frugal::api
