#include "calls.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>

namespace frugal_milvus {
namespace {

// Codes of Milvus' replies (merr of its sources, and the older enum of its protocol).
constexpr int32_t kCollectionNotFound = 100, kCollectionNotLoaded = 101, kCollectionNotFullyLoaded = 103;
constexpr int32_t kPartitionNotFound = 200, kChannelNotAvailable = 503;
constexpr int32_t kServiceNotReady = 1, kOldCollectionNotExists = 4;

std::string base64(const std::string& text) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < text.size(); at += 3) {
    const size_t count = std::min<size_t>(3, text.size() - at);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < count ? static_cast<unsigned char>(text[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i) out += i <= count ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

bool says(const std::string& reason, const char* words) {
  return reason.find(words) != reason.npos;
}

// Servers of several versions use the codes differently, so that the words decide where the code does not.
int32_t status_of(const proto::Status& status) {
  const std::string& reason = status.reason();
  switch (status.code()) {
    case kCollectionNotFound:
    case kPartitionNotFound:
      return FRUGAL_MILVUS_NO_PARTITION;
    case kCollectionNotLoaded:
    case kCollectionNotFullyLoaded:
    case kChannelNotAvailable:
      return FRUGAL_MILVUS_AWAY;
    case kServiceNotReady:
      if (says(reason, "not ready")) return FRUGAL_MILVUS_AWAY;
      break;
    default:
      break;
  }
  if (status.error_code() == kOldCollectionNotExists || (says(reason, "partition") && says(reason, "not found")))
    return FRUGAL_MILVUS_NO_PARTITION;
  return says(reason, "not loaded") ? FRUGAL_MILVUS_AWAY : FRUGAL_MILVUS_REFUSED;
}

}  // namespace

Deadline after(int32_t timeout_ms) {
  return std::chrono::system_clock::now() + std::chrono::milliseconds(std::max(timeout_ms, 0));
}

void require_success(const proto::Status& status, const char* doing) {
  if (status.error_code() == 0 && status.code() == 0) return;
  throw Failure(status_of(status), std::string(doing) + ": the server says: " + status.reason().substr(0, 300));
}

Channel::Channel(const frugal_milvus_server& server) {
  gpr_set_log_function([](gpr_log_func_args*) {});  // it writes to standard error what a status says, too
  if (server.token) authorization_ = base64(server.token);
  grpc::ChannelArguments arguments;
  const auto max_bytes = static_cast<int>(std::min<uint64_t>(server.max_bytes, 1 << 30));
  arguments.SetMaxReceiveMessageSize(max_bytes);
  arguments.SetMaxSendMessageSize(-1);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (server.certificates) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = server.certificates;
    credentials = grpc::SslCredentials(options);
  }
  stub_ = proto::MilvusService::NewStub(grpc::CreateCustomChannel(server.address, credentials, arguments));
}

void Channel::require_answer(const grpc::Status& status, const char* doing) {
  if (status.ok()) return;
  int32_t kind = FRUGAL_MILVUS_REFUSED;
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) kind = FRUGAL_MILVUS_TIMEOUT;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) kind = FRUGAL_MILVUS_AWAY;
  if (kind == FRUGAL_MILVUS_TIMEOUT) throw Failure(kind, std::string(doing) + ": no answer in time");
  throw Failure(kind, std::string(doing) + ": " + status.error_message().substr(0, 300));
}

}  // namespace frugal_milvus
