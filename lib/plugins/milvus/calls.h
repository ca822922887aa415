// Calls of the Milvus service that end at a deadline, and their failures. Only this folder includes gRPC and the
// generated messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "milvus.grpc.pb.h"
#include "plugins/failure.h"
#include "rag/vectors/milvus_abi.h"

namespace frugal_milvus {

namespace proto = ::milvus::proto::milvus;
using Stub = proto::MilvusService::Stub;
using Deadline = std::chrono::system_clock::time_point;  // gRPC's

Deadline after(int32_t timeout_ms);

using frugal_plugins::Failure;

/// Throws Failure unless the server reports success.
void require_success(const proto::Status& status, const char* doing);
template <typename Reply>
void require_success(const Reply& reply, const char* doing) {
  require_success(reply.status(), doing);
}

/// A channel to one server. All functions throw Failure.
class Channel {
 public:
  explicit Channel(const frugal_milvus_server& server);

  template <typename Request, typename Reply>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Reply*);

  /// doing: for messages. Throws Failure also if the reply says so.
  template <typename Request, typename Reply>
  Reply call(Method<Request, Reply> method, const Request& request, Deadline deadline, const char* doing) {
    Reply reply;
    grpc::ClientContext context;
    context.set_deadline(deadline);
    if (!authorization_.empty()) context.AddMetadata("authorization", authorization_);
    require_answer(((*stub_).*method)(&context, request, &reply), doing);
    require_success(reply, doing);
    return reply;
  }

 private:
  static void require_answer(const grpc::Status& status, const char* doing);

  std::string authorization_;  // base64 of the token; empty: none
  std::unique_ptr<Stub> stub_;
};

}  // namespace frugal_milvus
