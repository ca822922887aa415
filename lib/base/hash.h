// Two hashes: SHA-256 identifies content (provenance, citations, caches); XXH3 detects accidental damage (checksums).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace frugal {

/// Incremental SHA-256 (FIPS 180-4), by nettle.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  ~Sha256();
  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text) { return update(std::as_bytes(std::span(text.data(), text.size()))); }
  /// The digest in lower-case hexadecimal. Resets the object.
  std::string hex();
  /// The digest's bytes. Resets the object.
  std::array<uint8_t, 32> digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view text);
/// HMAC-SHA-256 (RFC 2104) of `text` under `key`: unpredictable without the key.
std::array<uint8_t, 32> hmac_sha256(std::string_view key, std::string_view text);
std::string sha256_file(const std::filesystem::path& path);

/// XXH3, 64 bits: not cryptographic.
uint64_t checksum64(std::span<const std::byte> bytes, uint64_t seed = 0);

}  // namespace frugal
