// HMAC-SHA-256 (RFC 2104, FIPS 180-4): how ranks prove to each other that they know the job's secret.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace rs::collective {

using Digest = std::array<uint8_t, 32>;

Digest sha256(const std::string& message);
Digest hmac_sha256(const std::string& key, const std::string& message);

// In a time that does not tell where they differ.
bool same(const Digest& a, const Digest& b);

}  // namespace rs::collective
