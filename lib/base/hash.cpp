#include "base/hash.h"

#include <nettle/hmac.h>
#include <nettle/sha2.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/format.h>

#include "base/file.h"

namespace frugal {

struct Sha256::State {
  sha256_ctx context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  sha256_init(&state_->context);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  sha256_update(&state_->context, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data()));
  return *this;
}

std::array<uint8_t, 32> Sha256::digest() {
  std::array<uint8_t, 32> digest;
  sha256_digest(&state_->context, digest.size(), digest.data());
  return digest;
}

std::string Sha256::hex() {
  std::string text;
  for (const uint8_t byte : digest()) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::string sha256_hex(std::string_view text) {
  return Sha256().update(text).hex();
}

std::array<uint8_t, 32> hmac_sha256(std::string_view key, std::string_view text) {
  hmac_sha256_ctx context;
  hmac_sha256_set_key(&context, key.size(), reinterpret_cast<const uint8_t*>(key.data()));
  hmac_sha256_update(&context, text.size(), reinterpret_cast<const uint8_t*>(text.data()));
  std::array<uint8_t, 32> digest;
  hmac_sha256_digest(&context, digest.size(), digest.data());
  return digest;
}

std::string sha256_file(const std::filesystem::path& path) {
  constexpr size_t kWindow = size_t(4) << 20;  // released as we go, so that hashing a model does not make it resident
  const MappedFile file(path);
  Sha256 hash;
  for (size_t offset = 0; offset < file.bytes().size(); offset += kWindow) {
    const size_t length = std::min(kWindow, file.bytes().size() - offset);
    hash.update(file.bytes().subspan(offset, length));
    file.release(offset, length);
  }
  return hash.hex();
}

uint64_t checksum64(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace frugal
