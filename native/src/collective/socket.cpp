#include "collective/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace rs::collective {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// Numeric addresses alone: names are resolved by whoever hands them out.
std::unique_ptr<addrinfo, FreeAddresses> parse(const std::string& host, int port, int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) {
    throw std::runtime_error("'" + host + "' is not a numeric address");
  }
  return std::unique_ptr<addrinfo, FreeAddresses>(list);
}

void set_option(int descriptor, int level, int option) {
  const int on = 1;
  setsockopt(descriptor, level, option, &on, sizeof on);
}

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + system_error_text(error));
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Socket Socket::listen(const std::string& host) {
  const auto address = parse(host, 0, AI_PASSIVE);
  Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) fail("no socket", errno);
  if (bind(socket.descriptor_, address->ai_addr, address->ai_addrlen) != 0 || ::listen(socket.descriptor_, 128) != 0) {
    fail("cannot listen at " + host, errno);
  }
  return socket;
}

Socket Socket::connect(const std::string& host, int port, Time end) {
  const std::string where = "cannot connect to " + host + " port " + std::to_string(port);
  const auto address = parse(host, port, 0);
  Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) fail("no socket", errno);
  if (::connect(socket.descriptor_, address->ai_addr, address->ai_addrlen) != 0) {
    if (errno != EINPROGRESS) fail(where, errno);
    pollfd event = {socket.descriptor_, POLLOUT, 0};
    while (poll(&event, 1, until(end)) < 0 && errno == EINTR) {}
    int error = ETIMEDOUT;
    socklen_t length = sizeof error;
    if (event.revents != 0) getsockopt(socket.descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) fail(where, error);
  }
  fcntl(socket.descriptor_, F_SETFL, fcntl(socket.descriptor_, F_GETFL) & ~O_NONBLOCK);
  set_option(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY);
  set_option(socket.descriptor_, SOL_SOCKET, SO_KEEPALIVE);
  return socket;
}

int Socket::port() const {
  sockaddr_storage address = {};
  socklen_t length = sizeof address;
  getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

Socket Socket::accept() const {
  Socket socket(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.is_open()) {
    set_option(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY);
    set_option(socket.descriptor_, SOL_SOCKET, SO_KEEPALIVE);
  }
  return socket;
}

void Socket::close() {
  if (is_open()) ::close(descriptor_);
  descriptor_ = -1;
}

bool Socket::send_all(const void* bytes, size_t count, Time end) const {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    pollfd event = {descriptor_, POLLOUT, 0};
    const int ready = poll(&event, 1, until(end));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t sent = send(descriptor_, next, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent <= 0) return false;
    next += sent;
    count -= static_cast<size_t>(sent);
  }
  return true;
}

bool Socket::receive_all(void* bytes, size_t count, Time end) const {
  char* next = static_cast<char*>(bytes);
  while (count > 0) {
    pollfd event = {descriptor_, POLLIN, 0};
    const int ready = poll(&event, 1, until(end));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t received = recv(descriptor_, next, count, MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (received <= 0) return false;
    next += received;
    count -= static_cast<size_t>(received);
  }
  return true;
}

void Socket::set_timeout(std::chrono::milliseconds timeout) const {
  timeval time = {};
  time.tv_sec = timeout.count() / 1000;
  time.tv_usec = static_cast<suseconds_t>(timeout.count() % 1000 * 1000);
  setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

int until(Socket::Time end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

std::string system_error_text(int error) { return std::error_code(error, std::generic_category()).message(); }

}  // namespace rs::collective
