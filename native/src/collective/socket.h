// A TCP socket that closes itself, and whose waits end at a given time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace rs::collective {

class Socket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  // On a port that the system picks, at a numeric address of this host. Throws std::runtime_error.
  static Socket listen(const std::string& host);
  // Throws std::runtime_error.
  static Socket connect(const std::string& host, int port, Time end);

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  int port() const;
  // The next connection to a listener; not open where there is none waiting.
  Socket accept() const;
  void close();

  // All bytes, or false: the peer is gone or the time is over.
  bool send_all(const void* bytes, size_t count, Time end) const;
  bool receive_all(void* bytes, size_t count, Time end) const;

  // Blocking calls return after so long without a byte.
  void set_timeout(std::chrono::milliseconds timeout) const;

 private:
  int descriptor_ = -1;
};

// Milliseconds for poll(); at least 0.
int until(Socket::Time end);

// For example "connection refused".
std::string system_error_text(int error);

}  // namespace rs::collective
